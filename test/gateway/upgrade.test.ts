// upgrade.test.ts -- upgraded connections end to end: echoes, refusals, half-closes, failures, idle and stopped ones

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcp, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { CodedError } from '../../src/base/errors.ts';
import { Trust } from '../../src/gateway/client-address.ts';
import { RequestHead } from '../../src/gateway/request-head.ts';
import { forwardedHeaders } from '../../src/gateway/request-headers.ts';
import type { TunnelEnd } from '../../src/gateway/tunnel.ts';
import { Upgrades } from '../../src/gateway/upgrade.ts';
import { plainReply } from '../../src/gateway/upgrade-reply.ts';
import { FakeClock } from '../support/fake-clock.ts';

const ADDITIONS = { requestId: 'id-1', pseudonym: 'rollcall', timing: undefined, setCookie: undefined };

/** What the gateway saw. */
interface Seen {
  status?: number;
  end?: TunnelEnd;
  failed?: { code: string; isSafe: boolean };
}

/** A front that hands every upgrade to one instance, and what came of the last request. */
class Front {
  readonly server: Server;
  readonly upgrades: Upgrades;
  seen: Seen = {};
  ended: Promise<Seen> = Promise.resolve({});

  constructor(
    options: { upstreamPort: number; clock?: Clock; idleTimeoutMs?: number; timeoutMs?: number },
    clock: Clock = options.clock ?? systemClock,
  ) {
    const { upstreamPort, idleTimeoutMs = 60_000, timeoutMs = 20_000 } = options;
    this.upgrades = new Upgrades(clock);
    const trust = new Trust([]);
    this.server = createServer((_, response) => response.end('not upgraded'));
    this.server.on('upgrade', (request: IncomingMessage, socket: Socket, early: Buffer) => {
      const seen: Seen = {};
      this.seen = seen;
      const refuse = (code: string): void => {
        const reply = plainReply(request, socket);
        reply?.writeHead(502, ['Content-Type', 'text/plain']);
        reply?.end(code);
      };
      this.ended = new Promise((resolve) => {
        try {
          const head = new RequestHead(request);
          const { headers } = forwardedHeaders(head, trust.peerOf(socket), 'instance.example', 'rollcall');
          this.upgrades.open(request, head, socket, early).attempt(
            {
              place: { address: '127.0.0.1', port: upstreamPort, tls: undefined, serverName: 'localhost' },
              target: head.target,
              headers,
              timeoutMs,
              idleTimeoutMs,
              additions: () => ({ ...ADDITIONS, takesTrailers: false }),
            },
            {
              failed: (error, isSafe) => {
                seen.failed = { code: error.code, isSafe };
                refuse(error.code);
                resolve(seen);
              },
              replied: (status) => {
                seen.status = status;
              },
              ended: (end) => {
                seen.end = end;
                resolve(seen);
              },
            },
          );
        } catch (error) {
          assert.ok(error instanceof CodedError, String(error));
          refuse(error.code);
          resolve(seen);
        }
      });
    });
  }
}

async function listening(server: { listen(port: number, host: string): unknown; address(): unknown }): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server as Server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function connected(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** Read until the text has come. */
async function readUntil(socket: Socket, text: string): Promise<string> {
  let read = '';
  await new Promise<void>((resolve) => {
    socket.on('data', function take(chunk: Buffer) {
      read += chunk.toString('latin1');
      if (!read.includes(text)) return;
      socket.off('data', take);
      resolve();
    });
  });
  return read;
}

/** Everything until the other side ends. */
async function readAll(socket: Socket): Promise<string> {
  let read = '';
  socket.on('data', (chunk) => {
    read += chunk.toString('latin1');
  });
  await Promise.race([once(socket, 'end'), once(socket, 'close')]);
  return read;
}

const ASK =
  'GET /chat?room=1 HTTP/1.1\r\nHost: shop.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n';

/** A masked text frame of at most 125 octets (RFC 6455 section 5.2). */
function frame(text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = Buffer.from([1, 2, 3, 4]);
  return Buffer.concat([
    Buffer.from([0x81, 0x80 | payload.length]),
    mask,
    payload.map((octet, i) => octet ^ mask[i % 4]!),
  ]);
}

/** A WebSocket server that sends every short text frame back without its mask. */
function echoServer(): Server {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => response.writeHead(426, { 'X-Seen': request.url! }).end(`use an upgrade ${body}`));
  });
  server.on('upgrade', (request, socket: Socket, head: Buffer) => {
    const key = request.headers['sec-websocket-key'] ?? '';
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nX-Host: ${request.headers.host}\r\nX-For: ${request.headers['x-forwarded-for']}\r\nKeep-Alive: timeout=3\r\n\r\n`,
    );
    let kept: Buffer = head;
    const take = (chunk: Buffer): void => {
      kept = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
      const out: Buffer[] = [];
      while (kept.length >= 2 && kept.length >= 6 + (kept[1]! & 0x7f)) {
        const length = kept[1]! & 0x7f;
        const mask = kept.subarray(2, 6);
        const payload = kept.subarray(6, 6 + length).map((octet, i) => octet ^ mask[i % 4]!);
        out.push(Buffer.from([0x81, length]), payload as Buffer);
        kept = kept.subarray(6 + length);
      }
      socket.write(Buffer.concat(out));
    };
    socket.on('error', () => {});
    socket.on('data', take);
    socket.on('end', () => socket.end());
  });
  return server;
}

describe('an upgraded connection', () => {
  const upstream = echoServer();
  let front: Front;
  let port = 0;
  before(async () => {
    front = new Front({ upstreamPort: await listening(upstream) });
    port = await listening(front.server);
  });
  after(() => {
    front.server.closeAllConnections();
    front.server.close();
    upstream.closeAllConnections();
    upstream.close();
  });

  it('carries 10,000 WebSocket messages there and back', async () => {
    const socket = await connected(port);
    const key = Buffer.alloc(16, 7).toString('base64');
    // The first frame comes with the head, before there is a reply.
    socket.write(Buffer.concat([Buffer.from(`${ASK}Sec-WebSocket-Key: ${key}\r\n\r\n`), frame('message 0')]));
    let read = Buffer.alloc(0);
    let headEnd = -1;
    const messages: string[] = [];
    const done = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        read = Buffer.concat([read, chunk]);
        if (headEnd < 0) {
          headEnd = read.indexOf('\r\n\r\n');
          if (headEnd < 0) return;
          const head = read.toString('latin1', 0, headEnd);
          assert.match(head, /^HTTP\/1\.1 101 /);
          const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
          assert.ok(head.includes(`Sec-WebSocket-Accept: ${accept}`), head);
          assert.match(head, /\r\nConnection: Upgrade\r\nUpgrade: websocket/);
          assert.match(head, /\r\nX-Host: instance\.example\r\n/);
          assert.match(head, /\r\nX-For: 127\.0\.0\.1\r\n/);
          assert.match(head, /\r\nX-Request-Id: id-1\r\n/);
          assert.doesNotMatch(head, /keep-alive:/i);
          read = read.subarray(headEnd + 4);
        }
        while (read.length >= 2 && read.length >= 2 + read[1]!) {
          messages.push(read.toString('utf8', 2, 2 + read[1]!));
          read = read.subarray(2 + read[1]!);
        }
        if (messages.length === 10_000) resolve();
      });
    });
    for (let i = 1; i < 10_000; i++) socket.write(frame(`message ${i}`));
    await done;
    assert.ok(
      messages.every((message, i) => message === `message ${i}`),
      'messages are out of order',
    );
    socket.end();
    const seen = await front.ended;
    assert.equal(seen.status, 101);
    const octets = messages.reduce((sum, message) => sum + message.length, 0);
    assert.deepEqual(seen.end, { received: octets + 6 * 10_000, sent: octets + 2 * 10_000 });
    assert.equal(front.upgrades.size, 0);
  });

  it('waits with the octets behind a head until the instance has agreed', async () => {
    const hidden = 'GET /admin HTTP/1.1\r\nHost: shop.example\r\n\r\n';
    const requests: string[] = [];
    const refusing = createServer((request, response) => {
      requests.push(request.url!);
      response.end('no');
    });
    const other = new Front({ upstreamPort: await listening(refusing) });
    const socket = await connected(await listening(other.server));
    socket.write(`${ASK}\r\n${hidden}`);
    const reply = await readAll(socket);
    assert.match(reply, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(reply, /\r\nConnection: close\r\n/i);
    assert.ok(reply.includes('no'), reply);
    assert.equal(reply.split('HTTP/1.1').length, 2);
    assert.deepEqual(requests, ['/chat?room=1']);
    assert.equal((await other.ended).status, 200);
    socket.destroy();
    for (const server of [refusing, other.server]) server.close();
  });

  it('sends the body of a request, and no octet of what is behind it', async () => {
    const socket = await connected(port);
    const head = ASK.replace('GET', 'POST').replace('websocket', 'h2c');
    socket.write(`${head}Content-Length: 10\r\n\r\nab`);
    socket.write('cdefghijXYZ');
    const reply = await readAll(socket);
    assert.match(reply, /^HTTP\/1\.1 426 /);
    assert.ok(reply.includes('use an upgrade abcdefghij'), reply);
    assert.ok(!reply.includes('XYZ'), reply);
    assert.deepEqual((await front.ended).end?.received, 10);
    socket.destroy();
  });

  it('refuses a chunked body', async () => {
    const socket = await connected(port);
    socket.write(`${ASK.replace('GET', 'POST')}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`);
    assert.match(await readAll(socket), /bad_request/);
    socket.destroy();
  });

  it('says an ordinary reply to a client that offers HTTP/2 only', async () => {
    const socket = await connected(port);
    socket.write(
      'GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n',
    );
    const reply = await readAll(socket);
    assert.match(reply, /^HTTP\/1\.1 426 /);
    assert.match(reply, /\r\nX-Seen: \/x\r\n/);
    socket.destroy();
  });
});

describe('what an instance may do', () => {
  /** A TCP server that says something to whoever connects; what it got. */
  async function scripted(
    script: (socket: Socket, front: Front) => void,
    options: { clock?: Clock; idleTimeoutMs?: number; timeoutMs?: number } = {},
  ): Promise<{ front: Front; socket: Socket; close: () => void }> {
    let front: Front;
    const server = createTcp({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      script(socket, front);
    });
    front = new Front({ upstreamPort: await listening(server), ...options });
    const socket = await connected(await listening(front.server));
    socket.on('error', () => {});
    const close = (): void => {
      socket.destroy();
      front.server.close();
      server.close();
    };
    return { front, socket, close };
  }
  const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n';

  it('ends its side while the client still talks, and hears the rest', async () => {
    let heard = '';
    let hasEnded = (): void => {};
    const heardAll = new Promise<void>((resolve) => {
      hasEnded = resolve;
    });
    const { front, socket, close } = await scripted((instance) => {
      instance.once('data', () => instance.end(`${SWITCH}bye`));
      instance.on('end', hasEnded);
      instance.on('data', (chunk) => {
        heard += chunk;
      });
    });
    socket.write(`${ASK}\r\n`);
    const reply = await readAll(socket);
    assert.ok(reply.endsWith('\r\n\r\nbye'), reply);
    socket.end('still here');
    const seen = await front.ended;
    await heardAll;
    assert.ok(heard.endsWith('still here'), heard);
    assert.deepEqual(seen.end, { received: 10, sent: 3 });
    close();
  });

  it('hears the end of a client that still listens', async () => {
    const { front, socket, close } = await scripted((instance) => {
      instance.once('data', () => instance.write(SWITCH));
      instance.on('end', () => instance.end('last words'));
    });
    socket.write(`${ASK}\r\n`);
    await readUntil(socket, '\r\n\r\n');
    socket.end();
    assert.equal(await readAll(socket), 'last words');
    assert.deepEqual((await front.ended).end, { received: 0, sent: 10 });
    close();
  });

  const failures: readonly (readonly [string, string | undefined, Seen['failed']])[] = [
    ['hang up', undefined, { code: 'upstream_failed', isSafe: true }],
    ['talk nonsense', 'hello\r\n\r\n', { code: 'upstream_failed', isSafe: true }],
    ['choose another protocol', SWITCH.replace('WebSocket', 'tls/1.0'), { code: 'upstream_failed', isSafe: true }],
    [
      'send too long a head',
      `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`,
      { code: 'upstream_failed', isSafe: true },
    ],
  ];
  for (const [name, text, failed] of failures) {
    it(`may ${name}: the client is told`, async () => {
      const { front, socket, close } = await scripted((instance) => {
        instance.once('data', () => (text === undefined ? instance.destroy() : instance.write(text)));
      });
      socket.write(`${ASK}\r\n`);
      const reply = await readAll(socket);
      assert.match(reply, /^HTTP\/1\.1 502 /);
      assert.deepEqual((await front.ended).failed, failed);
      close();
    });
  }

  it('may fail behind a POST: that is not safe to try again', async () => {
    const { front, socket, close } = await scripted((instance) => {
      instance.once('data', () => instance.destroy());
    });
    socket.write(`${ASK.replace('GET', 'POST')}\r\n`);
    await readAll(socket);
    assert.deepEqual((await front.ended).failed, { code: 'upstream_failed', isSafe: false });
    close();
  });

  it('may not be there: that is safe whatever the method', async () => {
    const gone = createTcp();
    const upstreamPort = await listening(gone);
    gone.close();
    await once(gone, 'close');
    const front = new Front({ upstreamPort });
    const socket = await connected(await listening(front.server));
    socket.write(`${ASK.replace('GET', 'POST')}\r\n`);
    await readAll(socket);
    assert.deepEqual((await front.ended).failed, { code: 'upstream_failed', isSafe: true });
    socket.destroy();
    front.server.close();
  });

  it('may say nothing: the deadline ends it', async () => {
    const clock = new FakeClock();
    const { front, socket, close } = await scripted(
      (instance) => void instance.once('data', () => clock.advance(5000)),
      { clock, timeoutMs: 5000 },
    );
    socket.write(`${ASK}\r\n`);
    assert.match(await readAll(socket), /upstream_timeout/);
    assert.deepEqual((await front.ended).failed, { code: 'upstream_timeout', isSafe: true });
    close();
  });

  it('may cut a reply off: the client does not get it as a whole', async () => {
    const { front, socket, close } = await scripted((instance) => {
      instance.once('data', () => instance.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'));
    });
    socket.write(`${ASK}\r\n`);
    const reply = await readAll(socket);
    assert.match(reply, /content-length: 100\r\n/i);
    assert.ok(reply.endsWith('\r\n\r\nhalf'), reply);
    assert.equal((await front.ended).status, 200);
    close();
  });

  it('falls silent: both sides are closed after the idle timeout, and not before', async () => {
    const clock = new FakeClock();
    const { front, socket, close } = await scripted(
      (instance) => void instance.once('data', () => instance.write(`${SWITCH}a`)),
      { clock, idleTimeoutMs: 1000 },
    );
    socket.write(`${ASK}\r\n`);
    await readUntil(socket, '\r\n\r\na');
    await clock.advance(999);
    assert.equal(front.seen.end, undefined);
    assert.equal(front.upgrades.size, 1);
    await clock.advance(1);
    assert.deepEqual((await front.ended).end, { received: 0, sent: 1 });
    close();
  });

  it('is cut off at a stop when the grace is over', async () => {
    const clock = new FakeClock();
    const { front, socket, close } = await scripted(
      (instance) => void instance.once('data', () => instance.write(SWITCH)),
      { clock },
    );
    socket.write(`${ASK}\r\n`);
    await readUntil(socket, '\r\n\r\n');
    const stopped = front.upgrades.close(3000);
    await clock.advance(2999);
    assert.equal(front.upgrades.size, 1);
    await clock.advance(1);
    await stopped;
    assert.equal(front.upgrades.size, 0);
    assert.notEqual((await front.ended).end, undefined);
    close();
  });

  it('is read no faster than the client reads', async () => {
    const total = 64 * 1024 * 1024;
    let written = 0;
    const { front, socket, close } = await scripted((instance) => {
      const chunk = Buffer.alloc(65_536, 0x61);
      const fill = (): void => {
        while (written < total) {
          written += chunk.length;
          if (!instance.write(chunk)) {
            instance.once('drain', fill);
            return;
          }
        }
        instance.end();
      };
      instance.once('data', () => {
        instance.write(SWITCH);
        fill();
      });
    });
    socket.pause();
    socket.write(`${ASK}\r\n`);
    // Until what fits into the buffers on the way is there and no more comes.
    for (let before = -1; before !== written || written === 0; ) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(written < total / 2, `${written} octets were taken from the instance`);
    let read = 0;
    socket.on('data', (chunk) => {
      read += chunk.length;
    });
    socket.resume();
    await once(socket, 'end');
    socket.end();
    assert.equal((await front.ended).end?.sent, total);
    assert.ok(read > total, `${read} octets arrived`);
    close();
  });
});
