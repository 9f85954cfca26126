// http-front.test.ts -- ambiguous requests over raw sockets, slow and huge ones, upgrades, pipelining, half-closed clients

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type Certificate, makeCertificate } from '../support/certificate.ts';
import { type OpenFront, openFront } from '../support/http-front.ts';

const NEXT = 'GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const get = (headers = '', target = '/'): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;
const post = (headers: string, body: string): string => `POST / HTTP/1.1\r\nHost: a\r\n${headers}\r\n${body}`;
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);
const CHUNKS = '2\r\nab\r\n0\r\n\r\n';

/** What is refused before, or while, its handler has it; and what follows it is never a request. */
const REFUSED: Readonly<Record<string, string>> = {
  'CL and TE': post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  'TE and CL': post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', '0\r\n\r\n'),
  'CL twice, the same': post('Content-Length: 2\r\nContent-Length: 2\r\n', 'ab'),
  'CL twice, different': post('Content-Length: 2\r\nContent-Length: 3\r\n', 'abc'),
  'CL as a list': post('Content-Length: 2, 2\r\n', 'ab'),
  'CL with a sign': post('Content-Length: +2\r\n', 'ab'),
  'CL below zero': post('Content-Length: -2\r\n', 'ab'),
  'CL in hex': post('Content-Length: 0x2\r\n', 'ab'),
  'CL of nothing': post('Content-Length: \r\n', 'ab'),
  'CL beyond numbers': post(`Content-Length: ${'9'.repeat(30)}\r\n`, 'ab'),
  'chunk size 0x2': chunked('0x2\r\nab\r\n0\r\n\r\n'),
  'chunk size +2': chunked('+2\r\nab\r\n0\r\n\r\n'),
  'chunk size -1': chunked('-1\r\nab\r\n0\r\n\r\n'),
  'chunk size beyond 64 bits': chunked('10000000000000002\r\nab\r\n0\r\n\r\n'),
  'chunk size and a space': chunked('2 \r\nab\r\n0\r\n\r\n'),
  'chunk size and a bare LF': chunked('2\nab\r\n0\r\n\r\n'),
  'chunk extension and a bare LF': chunked('2;a\nab\r\n0\r\n\r\n'),
  'chunk longer than it says': chunked('2\r\nabXX0\r\n\r\n'),
  'chunk ended by a bare LF': chunked('2\r\nab\n0\r\n\r\n'),
  'no chunk size': chunked('\r\nab\r\n0\r\n\r\n'),
  'CL as a trailer': chunked('0\r\nContent-Length: 5\r\n\r\n'),
  'TE xchunked': post('Transfer-Encoding: xchunked\r\n', CHUNKS),
  'TE after a vertical tab': post('Transfer-Encoding:\x0bchunked\r\n', CHUNKS),
  'TE chunked, identity': post('Transfer-Encoding: chunked, identity\r\n', CHUNKS),
  'TE identity': post('Transfer-Encoding: identity\r\n', CHUNKS),
  'TE twice': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', CHUNKS),
  'TE twice, different': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', CHUNKS),
  'TE in quotes': post('Transfer-Encoding: "chunked"\r\n', CHUNKS),
  'TE with a parameter': post('Transfer-Encoding: chunked;a=b\r\n', CHUNKS),
  'TE before a space and a colon': post('Transfer-Encoding : chunked\r\n', CHUNKS),
  'bare LF': 'GET / HTTP/1.1\nHost: a\n\n',
  'bare LF after a header': 'GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n',
  'bare LF at the end': 'GET / HTTP/1.1\r\nHost: a\r\n\n',
  'bare CR in a header': get('X: b\rY: c\r\n'),
  'bare CR': 'GET / HTTP/1.1\rHost: a\r\r',
  'no Host': 'GET / HTTP/1.1\r\n\r\n',
  'a space before the colon': get('X : b\r\n'),
  'a folded header': get('X: b\r\n c\r\n'),
  'a space before a name': 'GET / HTTP/1.1\r\n Host: a\r\n\r\n',
  'NUL in a value': get('X: b\0c\r\n'),
  'NUL in a name': get('X\0: b\r\n'),
  'a control in a value': get('X: b\x01c\r\n'),
  'no colon': get('Xb\r\n'),
  'no name': get(': b\r\n'),
  'a target without a slash': get('', 'x'),
  'a control in the target': get('', '/\x01'),
  'an octet beyond ASCII in the target': get('', '/\xe4'),
  'a space in the target': get('', '/a b'),
  'HTTP/0.9': 'GET /\r\n\r\n',
  'HTTP/1.2': 'GET / HTTP/1.2\r\nHost: a\r\n\r\n',
  'HTTP/2.0 as text': 'GET / HTTP/2.0\r\nHost: a\r\n\r\n',
  'HTTP/2 without TLS': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'an unknown method': 'FOO / HTTP/1.1\r\nHost: a\r\n\r\n',
  'a method in lower case': 'get / HTTP/1.1\r\nHost: a\r\n\r\n',
};

describe('ambiguous requests', () => {
  let open: OpenFront;
  before(async () => {
    open = await openFront();
  });
  after(() => open.close());

  for (const [what, text] of Object.entries(REFUSED)) {
    it(`${what}: 400, the end, and nothing smuggled`, async () => {
      const reply = await open.raw(text + NEXT);
      assert.match(reply, /^HTTP\/1\.1 400 Bad Request\r\n/);
      assert.match(reply, /\r\nConnection: close\r\n/i);
      assert.equal(reply.split('HTTP/1.1 ').length, 2, reply);
      assert.ok(!open.seen.includes('GET /smuggled'), open.seen.join());
    });
  }

  it('CONNECT is refused, and what follows is no request', async () => {
    const reply = await open.raw(`CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n${NEXT}`);
    assert.match(reply, /^HTTP\/1\.1 501 [\s\S]*"not_supported"/);
    assert.ok(!open.seen.includes('GET /smuggled'), 'a tunnel carried a request');
  });

  it('an expectation that is not known is 417', async () => {
    const reply = await open.raw(post('Expect: tea\r\nContent-Length: 0\r\nConnection: close\r\n', ''));
    assert.match(reply, /^HTTP\/1\.1 417 /);
  });

  it('spellings that are one thing only are read as it', async () => {
    for (const text of [
      post('Transfer-Encoding: \tCHUNKED \r\n', CHUNKS),
      post('Content-Length: 2 \r\n', 'ab'),
      chunked('2;ext=1\r\nab\r\n0\r\nTrailer: x\r\n\r\n'),
    ]) {
      const reply = await open.raw(`${text}GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      assert.match(reply, /POST \/ <ab>HTTP\/1\.1 200 [\s\S]*GET \/last <>/, text);
    }
  });
});

describe('order on one connection', () => {
  it('what is refused is said after the replies before it', async () => {
    const waiting: ServerResponse[] = [];
    const open = await openFront({ handler: (_request, response) => waiting.push(response) });
    const socket = connect(open.port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1').on('data', (text) => {
      received += text;
    });
    const closed = once(socket, 'close');
    socket.write(`${get()}${get('', '/2')}garbage\r\n\r\n`);
    while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve));
    waiting[1]!.end('second');
    waiting[0]!.end('first');
    await closed;
    assert.match(received, /^HTTP\/1\.1 200 [\s\S]*firstHTTP\/1\.1 200 [\s\S]*secondHTTP\/1\.1 400 /);
    await open.close();
  });

  it('while it closes, the last reply says that it is the last', async () => {
    const waiting: ServerResponse[] = [];
    const open = await openFront({ handler: (_request, response) => waiting.push(response) });
    const replies = open.raw(get() + get('', '/2'));
    while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve));
    const closed = open.front.close(10_000);
    for (const [i, response] of waiting.entries()) response.end(`reply ${i}`);
    const parts = (await replies).split('HTTP/1.1 ');
    assert.equal(parts.length, 3);
    assert.match(parts[1]!, /Connection: keep-alive[\s\S]*reply 0/);
    assert.match(parts[2]!, /Connection: close[\s\S]*reply 1/);
    await closed;
    await open.close();
  });
});

describe('a reply that is the last one', () => {
  it('is the end: no handler sees what was pipelined behind', async () => {
    const handler = (_request: unknown, response: ServerResponse): void => {
      response.shouldKeepAlive = false;
      setImmediate(() => response.end('no'));
    };
    const open = await openFront({ handler });
    assert.match(await open.raw(get() + get('', '/2')), /Connection: close[\s\S]*no$/);
    assert.deepEqual(open.seen, ['GET /']);
    await open.close();
  });

  it('an upgrade behind a reply that is under way is cut off', async () => {
    let upgrades = 0;
    const open = await openFront({ handler: () => {}, onUpgrade: () => upgrades++ });
    assert.equal(await open.raw(get() + get('Connection: upgrade\r\nUpgrade: tea\r\n')), '');
    assert.equal(upgrades, 0);
    await open.close();
  });
});

describe('slow and huge requests', () => {
  it('64 KiB of headers, over HTTP/1: 431', async () => {
    const open = await openFront();
    assert.match(await open.raw(get(`Connection: close\r\nX: ${'x'.repeat(60_000)}\r\n`)), /^HTTP\/1\.1 200 /);
    assert.match(await open.raw(get(`X: ${'x'.repeat(70_000)}\r\n`)), /^HTTP\/1\.1 431 [\s\S]*"headers_too_large"/);
    await open.close();
  });

  it('heads have a time, bodies have none of the front', async () => {
    const limits = { headersTimeoutMs: 500, requestTimeoutMs: 0, keepAliveTimeoutMs: 60_000 };
    const open = await openFront({ limits: { ...limits, maxConnections: 9, maxConnectionsPerSource: 9 } });
    const socket = connect(open.port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1').on('data', (text) => {
      received += text;
    });
    socket.write(post('Content-Length: 2\r\nConnection: close\r\n', 'a'));
    // Both of these take longer than a head may.
    assert.match(await open.raw('GET / HTTP/1.1\r\nHost: a\r\n', 10_000), /^HTTP\/1\.1 408 /);
    assert.match(await open.raw('', 10_000), /^HTTP\/1\.1 408 /);
    socket.write('b');
    await once(socket, 'close');
    assert.match(received, /^HTTP\/1\.1 200 [\s\S]*POST \/ <ab>/);
    await open.close();
  });

  it('a body that its reply did not wait for is given up', async () => {
    const open = await openFront({ handler: (_request, response) => response.end('no') });
    const reply = await open.raw(post('Content-Length: 100\r\n', 'a'), 30_000);
    assert.match(reply, /^HTTP\/1\.1 200 [\s\S]*no$/);
    assert.equal(open.seen.length, 1);
    await open.close();
  });
});

describe('half-closed clients', () => {
  const late = (_request: unknown, response: ServerResponse): void => void setTimeout(() => response.end('late'), 300);

  async function askAndHalfClose(port: number, text: string): Promise<string> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let received = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      received += chunk;
    });
    socket.on('end', () => socket.destroy());
    socket.end(text);
    await once(socket, 'close');
    return received;
  }

  it('get their reply', async () => {
    const open = await openFront({ handler: late, halfClosedMs: 60_000 });
    assert.match(await askAndHalfClose(open.port, get()), /^HTTP\/1\.1 200 [\s\S]*late$/);
    await open.close();
  });

  it('are given up when nothing comes', async () => {
    let tellGone = (): void => {};
    const gone = new Promise<void>((resolve) => {
      tellGone = resolve;
    });
    const handler = (_request: unknown, response: ServerResponse): void => void response.once('close', tellGone);
    const open = await openFront({ handler, halfClosedMs: 100 });
    assert.equal(await askAndHalfClose(open.port, get()), '');
    await gone;
    await open.close();
  });
});

describe('upgrades', () => {
  const upgrade = (protocol: string, more = '', body = ''): string =>
    get(`Connection: upgrade, close\r\nUpgrade: ${protocol}\r\n${more}`) + body;
  const rows: readonly (readonly [name: string, text: string, isUpgrade: boolean])[] = [
    ['websocket', upgrade('websocket', '', 'head'), true],
    ['one that is not known', upgrade('h2c, tea/1', '', 'head'), true],
    ['h2c', upgrade('h2c'), false],
    ['one with a body', upgrade('websocket', 'Content-Length: 4\r\n', 'head'), false],
    ['one with chunks', upgrade('websocket', 'Transfer-Encoding: chunked\r\n', '4\r\nhead\r\n0\r\n\r\n'), false],
    ['one of HTTP/1.0', 'GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: tea\r\n\r\n', false],
  ];
  for (const [name, text, isUpgrade] of rows) {
    it(`${name}: ${isUpgrade ? 'handed over' : 'a request as any other'}`, async () => {
      const open = await openFront({
        onUpgrade: (request, socket, head) => socket.end(`upgraded ${request.url} <${head}>`),
      });
      const reply = await open.raw(text);
      if (isUpgrade) assert.equal(reply, 'upgraded / <head>');
      else assert.match(reply, /^HTTP\/1\.1 200 [\s\S]*GET \/ <(head)?>$/);
      await open.close();
    });
  }

  it('are passed over where nobody takes them', async () => {
    const open = await openFront();
    assert.match(await open.raw(upgrade('websocket')), /^HTTP\/1\.1 200 [\s\S]*GET \/ <>$/);
    await open.close();
  });

  it('are cut off at the end', async () => {
    const open = await openFront({ onUpgrade: (_request, socket) => socket.write('up') });
    const socket = connect(open.port, '127.0.0.1');
    socket.on('error', () => {}).write(upgrade('websocket'));
    await once(socket, 'data');
    await Promise.all([open.front.close(50), once(socket, 'close')]);
    await open.close();
  });
});

describe('HTTP/2', () => {
  let own: Certificate;
  before(() => {
    own = makeCertificate();
  });
  after(() => own.remove());

  it('large heads pass, too large ones are 431; GOAWAY and the reply at the end', async () => {
    const waiting: ServerResponse[] = [];
    const handler = (request: { url?: string | undefined }, response: ServerResponse): void => {
      if (request.url === '/wait') waiting.push(response);
      else response.end('here');
    };
    const open = await openFront({ handler, http2: { maxHeaders: 512 } }, own);
    const client = connectHttp2(`https://127.0.0.1:${open.port}`, {
      ca: own.cert,
      maxSendHeaderBlockLength: 1 << 20,
    });
    client.on('error', () => {});
    const status = async (path: string, headers: Record<string, string>): Promise<unknown> => {
      const stream = client.request({ ':path': path, ...headers });
      const [reply] = await once(stream, 'response');
      stream.resume();
      return reply[':status'];
    };
    assert.equal(await status('/', { x: 'x'.repeat(50_000) }), 200);
    assert.equal(await status('/', { x: 'x'.repeat(70_000) }), 431);
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x${i}`, '1']));
    assert.equal(await status('/', many), 200);
    const last = status('/wait', {});
    while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const goaway = once(client, 'goaway');
    const closed = open.front.close(10_000);
    await goaway;
    waiting[0]!.end('late');
    assert.equal(await last, 200);
    await closed;
    await open.close();
  });
});
