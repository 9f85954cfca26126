// bad-input.test.ts -- garbage over the wire: the process lives, answers everybody else, and does not grow

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../src/base/random.ts';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { brokenMessage, framed, openSocket, TCP_TRICKS, UdpThrower } from '../support/hostile-traffic.ts';
import { sampleMessages } from '../support/sample-messages.ts';
import { requireTools, run } from '../support/tools.ts';
import { until } from '../support/until.ts';

const SEED = 20_260_302;
const NAME = 'cart-service.service.local';
const UDP_MESSAGES = 50_000;
const BATCH = 100;
const TCP_ROUNDS = 10;
const MAX_GROWTH_KIB = 64 * 1024;

async function start(t: TestContext): Promise<BuiltServer> {
  const server = await startBuiltServer(t);
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  return server;
}

/** An honest client is answered, and at once. */
async function assertAnswers(server: BuiltServer): Promise<void> {
  const startMs = performance.now();
  assert.deepEqual(await server.addresses(NAME), ['10.1.0.1']);
  assert.ok(performance.now() - startMs < 1000, 'an honest client had to wait');
}

/** Still running, nothing unforeseen in the log, and an orderly end. */
async function assertSound(server: BuiltServer): Promise<void> {
  await assertAnswers(server);
  assert.equal((await server.api('GET', '/readyz')).status, 200);
  // pino's levels from error up: a bad client is never an error of ours.
  assert.doesNotMatch(server.stderr(), /"level":[56]0/);
  assert.deepEqual(await server.stop(), { exitCode: 0, signal: null });
}

/** Resident memory in KiB; undefined where there is no /proc. */
function residentKib(pid: number): number | undefined {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

function assertNotGrown(t: TestContext, server: BuiltServer, beforeKib: number | undefined): void {
  const afterKib = residentKib(server.pid);
  if (beforeKib === undefined || afterKib === undefined) return;
  t.diagnostic(`resident memory ${Math.round(beforeKib / 1024)} MiB before, ${Math.round(afterKib / 1024)} MiB after`);
  assert.ok(afterKib - beforeKib < MAX_GROWTH_KIB, `grown by ${afterKib - beforeKib} KiB`);
}

test(`${UDP_MESSAGES} broken messages by UDP`, async (t) => {
  const server = await start(t);
  const random = seededRandom(SEED);
  const thrower = await UdpThrower.open(server.dns);
  t.after(() => thrower.close());
  let beforeKib: number | undefined;
  for (let sent = 0; sent < UDP_MESSAGES; sent += BATCH) {
    // Compiled code and the first heap count as the server's own.
    if (sent === UDP_MESSAGES / 10) beforeKib = residentKib(server.pid);
    for (let i = 0; i < BATCH; i++) thrower.throw(brokenMessage(random));
    // Its reply comes behind those to the batch, so no more than one batch is ever under way.
    await assertAnswers(server);
  }
  for (const size of [0, 1, 11, 12, 1500, 65_507]) thrower.throw(new Uint8Array(size));
  // What is a response is never answered: two servers would talk to each other for ever.
  const echo = await UdpThrower.open(server.dns);
  t.after(() => echo.close());
  for (const message of sampleMessages()) {
    const response = Uint8Array.from(message);
    response[2] = response[2]! | 0x80;
    echo.throw(response);
  }
  await assertAnswers(server);
  await assertAnswers(server);
  assert.equal(echo.replies, 0, 'a response was answered');
  t.diagnostic(`seed ${SEED}: ${thrower.replies} replies`);
  assertNotGrown(t, server, beforeKib);
  await assertSound(server);
});

test('bad clients by TCP', async (t) => {
  const server = await start(t);
  const random = seededRandom(SEED);
  const beforeKib = residentKib(server.pid);
  const beforeFds = openDescriptors(server.pid);
  for (let round = 0; round < TCP_ROUNDS; round++) {
    const sockets = await Promise.all(
      Object.values(TCP_TRICKS).map(async (trick) => {
        const socket = await openSocket(server.dns);
        trick(socket, random);
        return socket;
      }),
    );
    await assertAnswers(server);
    await assertAnswersByTcp(server);
    if (round % 2 === 0) for (const socket of sockets) socket.destroy();
    else t.after(() => sockets.forEach((socket) => void socket.destroy()));
    if (round === TCP_ROUNDS - 1) for (const socket of sockets) socket.resetAndDestroy();
  }
  assertNotGrown(t, server, beforeKib);
  // A connection that asks nothing is closed after ten seconds; what we closed ourselves is gone at once.
  await untilDescriptors(server.pid, beforeFds + (TCP_ROUNDS / 2) * Object.keys(TCP_TRICKS).length);
  await assertSound(server);
});

async function assertAnswersByTcp(server: BuiltServer): Promise<void> {
  const socket = await openSocket(server.dns);
  const query = Uint8Array.from(sampleMessages()[0]!);
  const startMs = performance.now();
  const reply = new Promise<Buffer>((resolve, reject) => {
    socket.once('data', resolve);
    socket.once('close', () => reject(new Error('closed without a reply')));
  });
  socket.write(framed(query));
  const octets = await reply;
  assert.deepEqual([octets[2], octets[3]], [query[0], query[1]], 'the id');
  assert.ok(performance.now() - startMs < 1000, 'an honest client had to wait');
  socket.destroy();
}

function openDescriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

async function untilDescriptors(pid: number, most: number): Promise<void> {
  const deadlineMs = performance.now() + 5000;
  while (openDescriptors(pid) > most) {
    assert.ok(performance.now() < deadlineMs, `${openDescriptors(pid)} descriptors are open`);
    await sleep(50);
  }
}

test('odd and huge HTTP requests', async (t) => {
  const server = await start(t);
  const beforeKib = residentKib(server.pid);
  const host = `Host: 127.0.0.1:${server.http.port}\r\n`;
  const put = `PUT /v1/services/cart-service/instances/odd HTTP/1.1\r\n${host}Content-Type: application/json\r\n`;
  const body = (text: string) => `${put}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
  const requests: readonly (readonly [name: string, text: string, status: RegExp])[] = [
    ['no HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', /^(400|$)/],
    ['a DNS message', framed(sampleMessages()[0]!).toString('latin1'), /^(400|$)/],
    ['1 GiB announced', `${put}Content-Length: 1073741824\r\n\r\n{`, /^413$/],
    ['a body of 1 MiB', body(`{"meta":{"a":"${'x'.repeat(1 << 20)}"}}`), /^(413|$)/],
    ['headers of 64 KiB', `GET /healthz HTTP/1.1\r\n${host}X: ${'x'.repeat(65_536)}\r\n\r\n`, /^431$/],
    ['a thousand headers', `GET /healthz HTTP/1.1\r\n${host}${'X: y\r\n'.repeat(1000)}\r\n`, /^(431|400)$/],
    ['a path of 8 KiB', `GET /v1/services/${'x'.repeat(8192)} HTTP/1.1\r\n${host}\r\n`, /^(400|404|414)$/],
    ['two lengths', `${put}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x`, /^400$/],
    ['length and chunks', `${put}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /^400$/],
    ['no host', 'GET /v1/services HTTP/1.1\r\n\r\n', /^400$/],
    ["somebody else's host", 'GET /v1/services HTTP/1.1\r\nHost: evil.example\r\n\r\n', /^403$/],
    ['no JSON', body('{"address": '), /^400$/],
    ['JSON of depth 10,000', body('['.repeat(10_000) + ']'.repeat(10_000)), /^400$/],
    ['a prototype', body('{"address":"10.0.0.1","port":80,"__proto__":{"x":1}}'), /^400$/],
    ['a key twice', body('{"address":"10.0.0.1","port":80,"port":81}'), /^400$/],
    ['an unknown key', body('{"address":"10.0.0.1","port":80,"color":"red"}'), /^400$/],
    ['no object', body('"10.0.0.1"'), /^400$/],
    ['XML', body('<a/>').replace('application/json', 'text/xml'), /^415$/],
    ['a way out of the path', `GET /v1/services/..%2f..%2fetc%2fpasswd HTTP/1.1\r\n${host}\r\n`, /^(400|404)$/],
    ['NUL in the path', `GET /v1/instances/a%00b HTTP/1.1\r\n${host}\r\n`, /^(400|404)$/],
    ['half an escape in the path', `GET /v1/instances/%f HTTP/1.1\r\n${host}\r\n`, /^400$/],
    ['an unknown method', `BREW /v1/services HTTP/1.1\r\n${host}\r\n`, /^(400|404|405|501)$/],
    ['TRACE', `TRACE / HTTP/1.1\r\n${host}\r\n`, /^(400|404|405|501)$/],
    ['CONNECT', `CONNECT 127.0.0.1:22 HTTP/1.1\r\n${host}\r\n`, /^(400|404|405|501|$)/],
    ['an upgrade', `GET / HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, /^(400|404|426|501)$/],
  ];
  for (const [name, text, status] of requests) {
    await t.test(name, async () => {
      assert.match(await statusOf(server, text), status);
      await assertAnswers(server);
    });
  }
  await t.test('two hundred that never finish their request', async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, () => openSocket(server.http)));
    for (const socket of sockets) socket.write(`GET /healthz HTTP/1.1\r\n${host}X: `);
    await assertAnswers(server);
    assert.equal((await server.api('GET', '/healthz')).status, 200);
    for (const socket of sockets) socket.resetAndDestroy();
  });
  assert.equal((await server.api('GET', '/v1/instances/odd')).status, 404, 'nothing of it was registered');
  assertNotGrown(t, server, beforeKib);
  await assertSound(server);
});

/** Send text as it is; the status of the reply, or nothing when the connection was closed without one. */
async function statusOf(server: BuiltServer, text: string): Promise<string> {
  const socket = await openSocket(server.http);
  try {
    const status = new Promise<string>((resolve, reject) => {
      let received = '';
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString('latin1');
        const match = /^HTTP\/1\.1 (\d+)/.exec(received);
        if (match !== null) resolve(match[1]!);
      });
      socket.once('close', () => resolve(''));
      setTimeout(() => reject(new Error('neither a reply nor an end')), 8000).unref();
    });
    socket.write(text, 'latin1');
    return await status;
  } finally {
    socket.destroy();
  }
}

test('more connections than descriptors', async (t) => {
  if (!(await requireTools(t, { prlimit: 'util-linux' }))) return;
  const server = await start(t);
  // Not from the beginning: loading its own modules takes more.
  const limit = openDescriptors(server.pid) + 20;
  const limiting = await run('prlimit', ['--pid', String(server.pid), `--nofile=${limit}`]);
  assert.equal(limiting.exitCode, 0, limiting.stderr);
  for (const target of [server.http, server.dns]) {
    // The system takes them all into its queue; the server cannot accept them all.
    const sockets = await Promise.all(Array.from({ length: 200 }, () => openSocket(target)));
    for (let i = 0; i < 10; i++) await assertAnswers(server);
    await until('the limit is met', () => openDescriptors(server.pid) >= limit - 2);
    for (const socket of sockets) socket.resetAndDestroy();
    await assertAnswersByTcp(server);
  }
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  assert.deepEqual(await server.stop(), { exitCode: 0, signal: null });
});
