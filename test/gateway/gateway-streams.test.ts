// gateway-streams.test.ts -- bodies both ways: in pieces, with trailers, huge, cut off, answered early

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type IncomingMessage, request } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2, type Http2Server } from 'node:http2';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import { describe, it } from 'node:test';
import { latch, Rig, TestServer, until } from '../support/gateway-rig.ts';

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

async function replyTo(sent: ReturnType<typeof request>): Promise<IncomingMessage> {
  const [reply] = (await once(sent, 'response')) as [IncomingMessage];
  return reply;
}

describe('replies', () => {
  it('the first piece arrives before the last is sent', async (t) => {
    const last = latch();
    const { rig } = await Rig.start(t, [
      (_, response) => {
        response.write('first ');
        void last.promise.then(() => response.end('last'));
      },
    ]);
    const reply = await replyTo(request(rig.url).end());
    const [first] = await once(reply, 'data');
    assert.equal(String(first), 'first ', 'the first piece');
    last.open();
    assert.equal(await textOf(reply), 'last', 'the rest');
  });

  it('the head arrives before there is a body', async (t) => {
    const body = latch();
    const { rig } = await Rig.start(t, [
      (_, response) => {
        response.writeHead(200, { 'Content-Length': '2' }).flushHeaders();
        void body.promise.then(() => response.end('ok'));
      },
    ]);
    const reply = await replyTo(request(rig.url).end());
    body.open();
    assert.equal(await textOf(reply), 'ok', 'the body');
  });

  it('trailers', async (t) => {
    const { rig } = await Rig.start(t, [
      (_, response) => {
        response.writeHead(200, { Trailer: 'X-Sum' });
        response.write('body');
        response.addTrailers({ 'X-Sum': '42' });
        response.end();
      },
    ]);
    const reply = await replyTo(request(rig.url, { headers: { TE: 'trailers' } }).end());
    assert.equal(await textOf(reply), 'body', 'body');
    assert.deepEqual({ ...reply.trailers }, { 'x-sum': '42' });
  });

  it('103 (Early Hints) are passed on', async (t) => {
    const { rig } = await Rig.start(t, [
      (_, response) => {
        response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.end('x'));
      },
    ]);
    const sent = request(rig.url).end();
    const replied = replyTo(sent);
    const [hints] = await once(sent, 'information');
    assert.equal(hints.statusCode, 103, 'status');
    assert.equal(hints.headers.link, '</a.css>; rel=preload', 'link');
    assert.equal(await textOf(await replied), 'x', 'the reply behind');
  });

  for (const [method, status, length] of [
    ['HEAD', 200, '12345'],
    ['GET', 204, undefined],
    ['GET', 304, undefined],
  ] as const) {
    it(`${method} with ${status} has no body, and the connection is kept`, async (t) => {
      const { rig, instances } = await Rig.start(t, [
        (_, response) => response.writeHead(status, length === undefined ? {} : { 'Content-Length': length }).end(),
      ]);
      for (let i = 0; i < 3; i++) {
        const reply = await replyTo(request(rig.url, { method }).end());
        assert.equal(reply.statusCode, status, 'status');
        assert.equal(reply.headers['content-length'], length, 'length');
        assert.equal(await textOf(reply), '', 'body');
      }
      assert.equal(instances[0]!.opened, 1, 'connections to the instance');
    });
  }

  it('a client of HTTP/1.0 gets the body up to the end of the connection', async (t) => {
    const { rig } = await Rig.start(t, [(_, response) => response.writeHead(200, { Trailer: 'X' }).end('in chunks')]);
    const reply = await rig.raw('GET / HTTP/1.0\r\n\r\n');
    assert.match(reply, /^HTTP\/1\.1 200 OK\r\n/, 'head');
    assert.ok(reply.endsWith('\r\n\r\nin chunks'), `body as it is: ${reply}`);
    assert.doesNotMatch(reply, /transfer-encoding/i, 'no chunks');
  });

  it('64 MiB arrive whole, and a reader that stops stops the instance', async (t) => {
    const piece = Buffer.alloc(1 << 20, 'x');
    let written = 0;
    const { rig } = await Rig.start(t, [
      async (_, response) => {
        for (; written < 64; written++) if (!response.write(piece)) await once(response, 'drain');
        response.end();
      },
    ]);
    const reply = await replyTo(request(rig.url).end());
    reply.pause();
    let before = -1;
    while (before !== written) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(written < 48, `${written} MiB were written for nobody`);
    let octets = 0;
    for await (const chunk of reply) octets += (chunk as Buffer).length;
    assert.equal(octets, 64 << 20, 'octets');
  });

  it('an instance that breaks off in the middle breaks the connection of the client', async (t) => {
    for (const headers of [{}, { 'Content-Length': '100' }]) {
      const { rig } = await Rig.start(t, [
        (_, response) => {
          response.writeHead(200, headers);
          response.write('half');
          setImmediate(() => response.destroy());
        },
      ]);
      const reply = await replyTo(request(rig.url).end());
      await assert.rejects(textOf(reply), { code: 'ECONNRESET' }, 'never a clean end');
      const [record] = await rig.recorded(1);
      assert.equal(record!.error, 'upstream_failed', 'record');
      assert.equal(record!.status, 200, 'status');
    }
  });

  it('a client that goes away ends the request of the instance', async (t) => {
    const gone = latch();
    const { rig, instances } = await Rig.start(t, [
      (_, response) => {
        response.on('close', gone.open);
        response.write('x');
      },
    ]);
    const sent = request(rig.url).end();
    const reply = await replyTo(sent);
    reply.on('error', () => {});
    sent.destroy();
    await gone.promise;
    const [record] = await rig.recorded(1);
    assert.equal(record!.status, 499, 'status');
    assert.equal(rig.gateway.loads()[0]!.inFlight, 0, 'in flight');
    await instances[0]!.whenEmpty();
  });

  it('a reader that has stopped for too long is cut off', async (t) => {
    const piece = Buffer.alloc(1 << 20);
    const { rig } = await Rig.start(
      t,
      [
        (_, response) => {
          for (let i = 0; i < 64; i++) response.write(piece);
        },
      ],
      { idleTimeoutMs: 300 },
    );
    const reply = await replyTo(request(rig.url).end());
    reply.pause();
    const [record] = await rig.recorded(1);
    assert.equal(record!.error, 'upstream_timeout', 'record');
    reply.destroy();
  });

  for (const [what, bytes] of [
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx'],
    ['100 that nobody asked for', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['101 that nobody asked for', 'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
    ['nothing', ''],
    ['huge headers', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`],
  ] as const) {
    it(`a reply that is none is a 502: ${what}`, async (t) => {
      const { rig } = await Rig.start(t, []);
      const server = createTcp((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end(bytes));
      });
      const instance = await TestServer.start(t, server as unknown as Server);
      rig.source.add('bad', instance.port);
      const reply = await fetch(rig.url);
      assert.equal(reply.status, 502, 'status');
      assert.equal(((await reply.json()) as { error: { code: string } }).error.code, 'upstream_failed');
    });
  }
});

describe('requests', () => {
  it('64 MiB arrive whole, and no faster than the instance reads', async (t) => {
    const read = latch();
    let octets = 0;
    const { rig } = await Rig.start(t, [
      (got, response) => {
        void read.promise.then(() => {
          got.on('data', (chunk: Buffer) => {
            octets += chunk.length;
          });
          got.on('end', () => response.end(String(octets)));
        });
      },
    ]);
    const sent = request(rig.url, { method: 'POST' });
    const piece = Buffer.alloc(1 << 20, 'x');
    let written = 0;
    const writing = (async () => {
      for (; written < 64; written++) if (!sent.write(piece)) await once(sent, 'drain');
      sent.end();
    })();
    let before = -1;
    while (before !== written) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(written < 48, `${written} MiB were taken for nobody`);
    read.open();
    await writing;
    assert.equal(await textOf(await replyTo(sent)), String(64 << 20), 'octets');
    const [record] = await rig.recorded(1);
    assert.equal(record!.received, 64 << 20, 'received');
  });

  it('the first piece arrives before the last is sent', async (t) => {
    const first = latch<string>();
    const { rig } = await Rig.start(t, [
      (got, response) => {
        got.once('data', (chunk) => first.open(String(chunk)));
        got.on('end', () => response.end('done'));
        got.resume();
      },
    ]);
    const sent = request(rig.url, { method: 'POST' });
    sent.write('first');
    assert.equal(await first.promise, 'first', 'piece');
    sent.end('last');
    assert.equal(await textOf(await replyTo(sent)), 'done', 'reply');
  });

  it('Expect: 100-continue is answered when the instance is there, and not passed on', async (t) => {
    let expect: string | undefined = 'unset';
    const { rig } = await Rig.start(t, [
      async (got, response) => {
        expect = got.headers.expect;
        response.end(await textOf(got));
      },
    ]);
    const sent = request(rig.url, { method: 'PUT', headers: { Expect: '100-continue', 'Content-Length': '4' } });
    sent.flushHeaders();
    await once(sent, 'continue');
    sent.end('body');
    assert.equal(await textOf(await replyTo(sent)), 'body', 'reply');
    assert.equal(expect, undefined, 'Expect');
  });

  it('Expect: 100-continue is not answered when nobody is there', async (t) => {
    const { rig } = await Rig.start(t, []);
    const sent = request(rig.url, { method: 'PUT', headers: { Expect: '100-continue', 'Content-Length': '4' } });
    sent.flushHeaders();
    let hasContinued = false;
    sent.on('continue', () => {
      hasContinued = true;
    });
    sent.on('error', () => {});
    const reply = await replyTo(sent);
    assert.equal(reply.statusCode, 503, 'status');
    assert.equal(reply.headers.connection, 'close', 'what follows could be the body');
    assert.equal(hasContinued, false, 'continue');
    reply.resume();
  });

  it('a reply before the whole body was sent arrives, and nothing leaks', async (t) => {
    const { rig, instances } = await Rig.start(t, [
      (_, response) => response.writeHead(413, { Connection: 'close' }).end('too large'),
    ]);
    const sent = request(rig.url, { method: 'POST', headers: { 'Content-Length': String(8 << 20) } });
    sent.on('error', () => {});
    sent.write(Buffer.alloc(1 << 20));
    const reply = await replyTo(sent);
    assert.equal(reply.statusCode, 413, 'status');
    assert.equal(await textOf(reply), 'too large', 'body');
    for (let i = 0; i < 7; i++) sent.write(Buffer.alloc(1 << 20));
    sent.end();
    await instances[0]!.whenEmpty();
    await until(() => rig.gateway.size === 0);
    assert.equal(rig.gateway.loads()[0]!.inFlight, 0, 'in flight');
  });

  it('a client that goes away in the middle of its body ends the request of the instance', async (t) => {
    const begun = latch();
    const gone = latch();
    const { rig } = await Rig.start(t, [
      (got) => {
        got.once('data', () => begun.open());
        got.on('error', () => gone.open());
      },
    ]);
    const sent = request(rig.url, { method: 'POST' });
    sent.on('error', () => {});
    sent.write('half');
    await begun.promise;
    sent.destroy();
    await gone.promise;
    const [record] = await rig.recorded(1);
    assert.equal(record!.status, 499, 'status');
    assert.equal(record!.received, 4, 'received');
  });

  it('a body that stops is a 408', async (t) => {
    const { rig } = await Rig.start(t, [(got) => got.resume()], { idleTimeoutMs: 200 });
    const sent = request(rig.url, { method: 'POST', headers: { 'Content-Length': '10' } });
    sent.on('error', () => {});
    sent.write('half');
    const reply = await replyTo(sent);
    assert.equal(reply.statusCode, 408, 'status');
    assert.match(await textOf(reply), /request_timeout/, 'code');
  });

  it('the deadline begins at the end of a long body', async (t) => {
    const { rig } = await Rig.start(t, [async (got, response) => response.end(await textOf(got))], { timeoutMs: 400 });
    const sent = request(rig.url, { method: 'POST' });
    for (let i = 0; i < 8; i++) {
      sent.write('x');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    sent.end();
    const reply = await replyTo(sent);
    assert.equal(await textOf(reply), 'xxxxxxxx', 'body');
  });

  it('an empty body stays one', async (t) => {
    const seen: string[] = [];
    const { rig } = await Rig.start(t, [
      (got, response) => {
        seen.push(`${got.method} ${got.headers['content-length']} ${got.headers['transfer-encoding']}`);
        response.end();
      },
    ]);
    await fetch(rig.url, { method: 'POST' });
    await fetch(rig.url, { method: 'DELETE' });
    await rig.raw('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n');
    assert.deepEqual(seen, ['POST 0 undefined', 'DELETE undefined undefined', 'POST 0 undefined']);
  });

  for (const method of ['TRACE', 'CONNECT']) {
    it(`${method} is not passed on`, async (t) => {
      const { rig } = await Rig.start(t, [(_, response) => response.end()]);
      if (method === 'TRACE') {
        assert.match(
          await rig.raw('TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
          /^HTTP\/1\.1 405 /,
          'status',
        );
      }
    });
  }
});

describe('clients of HTTP/2', () => {
  async function start(t: Parameters<typeof Rig.start>[0], handler: Parameters<typeof Rig.start>[1][0]) {
    const { rig } = await Rig.start(t, [handler]);
    const server: Http2Server = createHttp2();
    server.on('request', (got, response) => rig.gateway.handle(got, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    session.on('error', () => {});
    t.after(() => {
      session.destroy();
      server.close();
    });
    return { rig, session };
  }

  it('body both ways, several headers of one name, trailers', async (t) => {
    const { session } = await start(t, async (got, response) => {
      response.writeHead(200, { Trailer: 'X-Sum', 'Set-Cookie': ['a=1', 'b=2'], 'Transfer-Encoding': 'chunked' });
      response.write(await textOf(got));
      response.addTrailers({ 'X-Sum': '42' });
      response.end();
    });
    const stream = session.request({ ':method': 'POST', ':path': '/x', te: 'trailers' });
    stream.end('hello');
    const trailers = once(stream, 'trailers');
    const [head] = await once(stream, 'response');
    assert.equal(head[':status'], 200, 'status');
    assert.deepEqual(head['set-cookie'], ['a=1', 'b=2']);
    assert.equal(await textOf(stream), 'hello', 'body');
    assert.equal((await trailers)[0]['x-sum'], '42', 'trailers');
  });

  it('an instance that breaks off resets the stream only', async (t) => {
    const { rig, session } = await start(t, (got, response) => {
      if (got.url === '/ok') response.end('ok');
      else {
        response.write('half');
        setImmediate(() => response.destroy());
      }
    });
    const stream = session.request({ ':path': '/' });
    stream.resume();
    await assert.rejects(once(stream, 'end'), /INTERNAL_ERROR/, 'reset');
    const next = session.request({ ':path': '/ok' });
    assert.equal(await textOf(next), 'ok', 'the next stream');
    const records = await rig.recorded(2);
    assert.deepEqual(
      records.map(({ status, error }) => [status, error]),
      [
        [200, 'upstream_failed'],
        [200, undefined],
      ],
    );
  });

  it('a stream that the client resets is a 499', async (t) => {
    const gone = latch();
    const { rig, session } = await start(t, (_, response) => {
      response.on('close', gone.open);
      response.write('x');
    });
    const stream = session.request({ ':path': '/' });
    await once(stream, 'data');
    stream.close(8);
    await gone.promise;
    const [record] = await rig.recorded(1);
    assert.equal(record!.status, 499, 'status');
  });
});
