// gateway-hostile.test.ts -- clients that smuggle and instances that do not keep to HTTP, at the built server

import assert from 'node:assert/strict';
import { connect as connectHttp2, constants } from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { startBuiltServer } from '../support/built-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { openDescriptors } from '../support/gateway-server.ts';
import { requireTools } from '../support/tools.ts';

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';

function post(headers: string, body: string): string {
  return `POST / HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`;
}

/** All are refused with 400, and what is behind them is not looked at. */
const REQUESTS: Readonly<Record<string, string>> = {
  'Content-Length and chunked': post('Content-Length: 5\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
  'chunked and Content-Length': post('Transfer-Encoding: chunked\r\nContent-Length: 5', '0\r\n\r\n'),
  'two lengths': post('Content-Length: 5\r\nContent-Length: 6', 'abcdef'),
  'the same length twice': post('Content-Length: 5\r\nContent-Length: 5', 'abcde'),
  'a list of lengths': post('Content-Length: 5, 5', 'abcde'),
  'a length with a sign': post('Content-Length: +5', 'abcde'),
  'a hexadecimal length': post('Content-Length: 0x5', 'abcde'),
  'an empty length': post('Content-Length:', 'abcde'),
  'a space before the colon': post('Transfer-Encoding : chunked', '0\r\n\r\n'),
  'another coding': post('Transfer-Encoding: xchunked', '0\r\n\r\n'),
  'a coding in quotes': post('Transfer-Encoding: "chunked"', '0\r\n\r\n'),
  'chunked and then another': post('Transfer-Encoding: chunked, identity', '0\r\n\r\n'),
  'another and then chunked': post('Transfer-Encoding: gzip, chunked', '0\r\n\r\n'),
  'a control character before the coding': post('Transfer-Encoding: \x0bchunked', '0\r\n\r\n'),
  'a folded coding': post('Transfer-Encoding:\r\n chunked', '0\r\n\r\n'),
  'chunked in HTTP/1.0': 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'lines that end in LF': 'GET / HTTP/1.1\nHost: x\n\n',
  'a header that ends in LF': 'GET / HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n',
  'a header with CR': 'GET / HTTP/1.1\r\nHost: x\rX-A: b\r\n\r\n',
  'chunks that end in LF': post('Transfer-Encoding: chunked', '3\nabc\n0\n\n'),
  'a chunk size that is none': post('Transfer-Encoding: chunked', 'Z\r\nabc\r\n0\r\n\r\n'),
  'a negative chunk size': post('Transfer-Encoding: chunked', '-3\r\nabc\r\n0\r\n\r\n'),
  'a chunk size beyond 64 bits': post('Transfer-Encoding: chunked', '10000000000000000\r\nabc\r\n0\r\n\r\n'),
  'a chunk that is longer than it says': post('Transfer-Encoding: chunked', '3\r\nabcde\r\n0\r\n\r\n'),
  'LF in a chunk extension': post('Transfer-Encoding: chunked', '3;a\nx\r\nabc\r\n0\r\n\r\n'),
  'no Host': 'GET / HTTP/1.1\r\n\r\n',
  'two Hosts': 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  'a Host with a user': 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n',
  'a Host with a path': 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n',
  'a URL with a user': 'GET http://a:b@c/ HTTP/1.1\r\nHost: x\r\n\r\n',
  'a URL of another scheme': 'GET ftp://c/ HTTP/1.1\r\nHost: x\r\n\r\n',
  'a fragment': 'GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n',
  'a backslash': 'GET /a/..\\b HTTP/1.1\r\nHost: x\r\n\r\n',
  'HTTP/1.2': 'GET / HTTP/1.2\r\nHost: x\r\n\r\n',
  'HTTP/2.0 in text': 'GET / HTTP/2.0\r\nHost: x\r\n\r\n',
};

interface OddReply {
  readonly octets: string;
  /** What the instance does when it has sent them. */
  readonly ending?: 'close' | 'reset';
  /** What the client gets: a status, `cut` where the reply has to break off in the middle. */
  readonly wanted: number | 'cut';
}

const OK = 'HTTP/1.1 200 OK\r\n';
const LENGTH_2 = 'Content-Length: 2\r\n\r\nok';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const LONG = 'x'.repeat(40_000);

const REPLIES: Readonly<Record<string, OddReply>> = {
  both: { octets: `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nEVIL`, wanted: 502 },
  'two-lengths': { octets: `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef`, wanted: 502 },
  'signed-length': { octets: `${OK}Content-Length: +2\r\n\r\nok`, wanted: 502 },
  'endless-length': { octets: `${OK}Content-Length: 99999999999999999999\r\n\r\nok`, wanted: 502 },
  gzip: { octets: `${OK}Transfer-Encoding: gzip\r\n\r\nabc`, ending: 'close', wanted: 502 },
  'gzip-chunked': { octets: `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`, wanted: 502 },
  'chunked-twice': {
    octets: `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    wanted: 502,
  },
  'bad-chunk': { octets: `${CHUNKED}2\r\nok\r\nZZ\r\n`, wanted: 'cut' },
  'long-chunk': { octets: `${CHUNKED}2\r\nokEVIL\r\n0\r\n\r\n`, wanted: 'cut' },
  'early-end': { octets: `${OK}Content-Length: 50\r\n\r\nabc`, ending: 'close', wanted: 'cut' },
  'early-end-chunked': { octets: `${CHUNKED}2\r\nok\r\n`, ending: 'close', wanted: 'cut' },
  'reset-in-body': { octets: `${OK}Content-Length: 500000\r\n\r\n${LONG}`, ending: 'reset', wanted: 'cut' },
  'standing-still': { octets: `${OK}Content-Length: 50\r\n\r\nabc`, wanted: 'cut' },
  nothing: { octets: '', ending: 'close', wanted: 502 },
  silence: { octets: '', wanted: 504 },
  'half-a-head': { octets: `${OK}X-`, ending: 'close', wanted: 502 },
  'another-protocol': { octets: 'SSH-2.0-OpenSSH_9\r\n', wanted: 502 },
  'http-0.9': { octets: '<p>hi</p>', ending: 'close', wanted: 502 },
  'until-close': { octets: `${OK}\r\nok`, ending: 'close', wanted: 200 },
  'more-than-asked': { octets: `${OK}${LENGTH_2}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL`, wanted: 200 },
  'many-1xx': { octets: `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(5000)}${OK}${LENGTH_2}`, wanted: 200 },
  'bad-hints': { octets: `HTTP/1.1 103 Early Hints\r\nLink: \x80\r\n\r\n${OK}${LENGTH_2}`, wanted: 200 },
  'unasked-101': {
    octets: 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\nEVIL',
    wanted: 502,
  },
  'head-too-long': { octets: `${OK}X-A: ${LONG}\r\nX-B: ${LONG}\r\n${LENGTH_2}`, wanted: 502 },
  'nul-in-header': { octets: `${OK}X-A: a\0b\r\n${LENGTH_2}`, wanted: 502 },
  'cr-in-header': { octets: `${OK}X-A: a\rSet-Cookie: EVIL=1\r\n${LENGTH_2}`, wanted: 502 },
  'space-before-colon': { octets: `${OK}Transfer-Encoding : chunked\r\n${LENGTH_2}`, wanted: 502 },
  'lf-only': { octets: 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok', wanted: 502 },
  'status-000': { octets: `HTTP/1.1 000 None\r\n${LENGTH_2}`, wanted: 502 },
  prototype: { octets: `${OK}__proto__: 1\r\nconstructor: 2\r\n${LENGTH_2}`, wanted: 200 },
  'body-of-204': { octets: 'HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nEVIL', wanted: 204 },
  // This one is right, and was taken for the contrary.
  'length-of-304': { octets: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nEtag: "a"\r\n\r\n', wanted: 304 },
};

test('nothing is smuggled through the gateway, neither way, and nothing stays behind', async (t) => {
  if (!(await requireTools(t, { openssl: 'openssl' }))) return;
  const certificate = makeCertificate();
  t.after(() => certificate.remove());
  const odd = await OddInstance.start(t);
  const route = { service: 'odd', timeout: '2s', idleTimeout: '1s', outliers: 'off' };
  const tls = { certFile: certificate.certFile, keyFile: certificate.keyFile };
  const gateway = { listen: ['127.0.0.1:0'], tls, routes: [route] };
  const server = await startBuiltServer(t, { config: { store: { kind: 'memory' }, log: { level: 'warn' }, gateway } });
  await server.register('odd', 'odd-1', { address: '127.0.0.1', port: odd.port });
  const { port } = server.gateway;
  const descriptors = openDescriptors(server.pid);

  await t.test('requests', async (t) => {
    for (const [name, octets] of Object.entries(REQUESTS)) {
      await t.test(name, async () => {
        const reply = await askRaw(port, octets + SMUGGLED);
        assert.match(reply, /^HTTP\/1\.1 400 /);
        assert.match(reply, /^[^{]*\{"error":\{"code":"bad_request","message":"[^"]+"\}\}(\r\n0\r\n\r\n)?$/);
      });
    }
    assert.ok(!odd.asked.includes('/smuggled'), 'a request was smuggled');
    assert.match(await askRaw(port, `${post('Content-Length: 1', 'x')}${SMUGGLED}${LAST}`), /^HTTP\/1\.1 404 /);
    assert.ok(odd.asked.includes('/smuggled'), 'it would have been seen');
  });

  await t.test('replies, to HTTP/1.1', async (t) => {
    const asked = Object.entries(REPLIES).map(async ([name, { wanted }]) => {
      const reply = await askRaw(port, `GET /${name} HTTP/1.1\r\nHost: x\r\n\r\n${LAST}`);
      return { name, wanted, reply };
    });
    for (const { name, wanted, reply } of await Promise.all(asked)) {
      await t.test(name, () => {
        assert.ok(!reply.includes('EVIL'), reply);
        assert.match(reply, new RegExp(`^(HTTP/1.1 103 .*?\r\n\r\n)?HTTP/1.1 ${wanted === 'cut' ? 200 : wanted} `));
        // The reply to the last request comes behind a whole one only, and it is the only one there.
        assert.equal(reply.split('HTTP/1.1 404 ').length, wanted === 'cut' ? 1 : 2, reply.slice(-1000));
      });
    }
  });

  await t.test('replies, to HTTP/2', async (t) => {
    const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    t.after(() => session.destroy());
    const asked = Object.entries(REPLIES).map(async ([name, { wanted }]) => {
      const stream = session.request({ ':path': `/${name}` });
      let [status, body] = [0, ''];
      stream.on('response', (headers) => {
        status = headers[':status'] ?? 0;
      });
      stream.setEncoding('latin1').on('data', (chunk: string) => {
        body += chunk;
      });
      stream.on('error', () => {});
      await new Promise((resolve) => stream.once('close', resolve));
      return { name, wanted, status, body, isCut: stream.rstCode !== constants.NGHTTP2_NO_ERROR };
    });
    for (const { name, wanted, status, body, isCut } of await Promise.all(asked)) {
      await t.test(name, () => {
        assert.deepEqual({ status, isCut }, { status: wanted === 'cut' ? 200 : wanted, isCut: wanted === 'cut' });
        assert.ok(!body.includes('EVIL'), body);
      });
    }
    assert.ok(!session.destroyed, 'the session ended');
  });

  await t.test('nothing stays behind', async () => {
    const deadlineMs = performance.now() + 20_000;
    while (openDescriptors(server.pid) > descriptors && performance.now() < deadlineMs) await sleep(50);
    assert.ok(
      openDescriptors(server.pid) <= descriptors,
      `${openDescriptors(server.pid)} of ${descriptors} descriptors`,
    );
    const { body } = await server.api('GET', '/v1/status');
    assert.deepEqual([body.gateway.inFlight, body.gateway.queued], [0, 0]);
    assert.doesNotMatch(server.stderr(), /"level":(50|60)/);
  });
});

/** Is answered 404 by the instance. */
const LAST = 'GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

/** All that comes back for octets sent as they are over TLS, until the gateway closes. */
async function askRaw(port: number, octets: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  socket.on('error', () => {});
  socket.write(octets, 'latin1');
  let reply = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    reply += chunk;
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return reply;
}

/** Answers with the octets that the path names, and 404 to all others. */
class OddInstance {
  readonly asked: string[] = [];
  readonly port: number;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(t: TestContext): Promise<OddInstance> {
    const sockets = new Set<Socket>();
    let self: OddInstance | undefined;
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      self?.serve(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    self = new OddInstance((server.address() as AddressInfo).port);
    return self;
  }

  serve(socket: Socket): void {
    socket.on('error', () => {});
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const path = /^\w+ (\S+) HTTP\/1\.1\r\n/.exec(text)?.[1] ?? '';
        text = text.slice(end + 4);
        this.asked.push(path);
        this.#reply(socket, REPLIES[path.slice(1)]);
      }
    });
  }

  #reply(socket: Socket, odd: OddReply | undefined): void {
    if (odd === undefined) {
      socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    if (odd.octets !== '') socket.write(odd.octets, 'latin1');
    if (odd.ending === 'close') socket.end();
    // A reset throws away what has not been sent.
    if (odd.ending === 'reset') setTimeout(() => socket.resetAndDestroy(), 50);
  }
}
