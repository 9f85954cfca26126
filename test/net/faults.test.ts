// faults.test.ts -- what breaks inside a running server costs no more than it must, is counted, and comes back by itself

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadSocketCalls, type SocketCalls } from '../../src/net/socket-calls.ts';
import { FaultyServer, HOARD, SCARCE } from '../support/faulty-server.ts';
import { UdpThrower } from '../support/hostile-traffic.ts';
import { sendFromPortZero } from '../support/port-zero.ts';
import { QueryLoad, readAnswer } from '../support/query-load.ts';
import { sampleMessages } from '../support/sample-messages.ts';

const loaded = loadSocketCalls();
const options = { skip: typeof loaded === 'string' ? `no shards here: ${loaded}` : false, timeout: 120_000 };
const NAME = 'cart-service.service.local';
const ADDRESS = '10.1.0.1';
const BLOCKED_MS = 2000;
const QUERIES_PER_SECOND = 500;

async function start(t: TestContext, workers = 1): Promise<FaultyServer> {
  const faulty = await FaultyServer.start(t, { config: { dns: { workers }, store: { kind: 'memory' } } });
  await faulty.server.register('cart-service', 'cart-1', { address: ADDRESS, port: 8080 });
  assert.deepEqual(await faulty.server.addresses(NAME), [ADDRESS]);
  return faulty;
}

/** Resolves when a shard was replaced, and answers. */
async function untilReplaced(faulty: FaultyServer, times: number): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while ((await faulty.replaced()) < times) {
    assert.ok(performance.now() < deadlineMs, `no shard was replaced\n${faulty.server.stderr()}`);
    await sleep(20);
  }
  while (!(await faulty.server.addresses(NAME).catch((): string[] => [])).includes(ADDRESS)) {
    assert.ok(performance.now() < deadlineMs, `no answer\n${faulty.server.stderr()}`);
  }
}

test('an allocation that fails in a shard is one SERVFAIL, counted and told', options, async (t) => {
  const faulty = await start(t);
  const { server } = faulty;
  for (let i = 0; i < 3; i++) {
    // The reply is a header alone, which the resolver of this process does not like.
    const refused = ({ code }: NodeJS.ErrnoException) => code === 'ESERVFAIL' || code === 'EBADRESP';
    await assert.rejects(server.addresses(`${SCARCE}-${i}.service.local`), refused);
    assert.deepEqual(await server.addresses(NAME), [ADDRESS], 'the next one is answered');
  }
  assert.equal(await faulty.metric('rollcall_dns_failures_total'), 3);
  assert.equal(await faulty.metric('rollcall_dns_queries_total{proto="udp",type="none",rcode="SERVFAIL"}'), 3);
  assert.equal(await faulty.replaced(), 0, 'the shard lives');
  const told = server.stderr().match(/"reason":"Array buffer allocation failed"/g);
  assert.equal(told?.length, 1, `told once, not for every query\n${server.stderr()}`);
  assert.deepEqual(await server.stop(), { exitCode: 0, signal: null });
});

test('what a shard drops is counted', options, async (t) => {
  const faulty = await start(t);
  const thrower = await UdpThrower.open(faulty.server.dns);
  t.after(() => thrower.close());
  for (const length of [0, 2, 11]) thrower.throw(new Uint8Array(length));
  for (const length of [12, 700]) thrower.throw(new Uint8Array(length).fill(0x80));
  assert.deepEqual(await faulty.server.addresses(NAME), [ADDRESS]);
  assert.equal(await faulty.metric('rollcall_dns_dropped_total{reason="short"}'), 3);
  assert.equal(await faulty.metric('rollcall_dns_dropped_total{reason="response"}'), 2);
  assert.equal(thrower.replies, 0);
});

for (const [path, workers] of [
  ['a shard', 1],
  ['node:dgram', 0],
] as const) {
  test(`what comes from port 0 is dropped and counted by ${path}`, options, async (t) => {
    const faulty = await start(t, workers);
    for (let i = 0; i < 3; i++) {
      if (!sendFromPortZero(loaded as SocketCalls, sampleMessages()[0]!, faulty.server.dns)) {
        t.skip('needs CAP_NET_RAW');
        return;
      }
    }
    assert.deepEqual(await faulty.server.addresses(NAME), [ADDRESS]);
    assert.equal(await faulty.metric('rollcall_dns_dropped_total{reason="port"}'), 3);
    assert.deepEqual(await faulty.server.stop(), { exitCode: 0, signal: null });
    assert.doesNotMatch(faulty.server.stderr(), /"level":[56]0/);
  });
}

test('a shard that runs out of memory is replaced, and knows what the other knew', options, async (t) => {
  const faulty = await start(t);
  const { server } = faulty;
  const unknown = await faulty.metric('rollcall_unknown_names_total');
  await assert.rejects(server.addresses('nobody.service.local'), { code: 'ENOTFOUND' });
  for (let times = 1; times <= 2; times++) {
    await assert.rejects(server.addresses(`${HOARD}.service.local`), 'it died of this one');
    await untilReplaced(faulty, times);
  }
  assert.match(server.stderr(), /out of memory|ERR_WORKER_OUT_OF_MEMORY|memory limit/, 'said in the log');
  assert.equal(await faulty.metric('rollcall_unknown_names_total'), unknown + 1, 'its counts go on');
  await server.register('cart-service', 'cart-1', { address: '10.1.0.2', port: 8080 });
  assert.deepEqual(await server.addresses(NAME), ['10.1.0.2']);
  assert.deepEqual(await server.stop(), { exitCode: 0, signal: null });
});

test('sockets closed under a shard are opened anew at the same endpoint', options, async (t) => {
  const faulty = await start(t);
  for (let times = 1; times <= 2; times++) {
    await faulty.closeUdpSockets();
    await untilReplaced(faulty, times);
  }
  assert.deepEqual(await faulty.server.stop(), { exitCode: 0, signal: null });
});

test(`a main thread that stands still for ${BLOCKED_MS} ms stops no answer by UDP`, options, async (t) => {
  const faulty = await start(t);
  const load = await QueryLoad.start(faulty.server.dns, NAME, QUERIES_PER_SECOND);
  await faulty.blockMainThread(BLOCKED_MS);
  const blockedMs = performance.now();
  assert.equal((await faulty.server.api('GET', '/healthz')).status, 200);
  const unblockedMs = performance.now();
  assert.ok(unblockedMs - blockedMs > BLOCKED_MS / 2, 'it stood still');
  await load.stop();
  let meanwhile = 0;
  for (const { sentMs, reply } of load.exchanges) {
    assert.ok(reply !== undefined, 'a query was lost');
    assert.equal(readAnswer(reply.octets).rcode, 0);
    if (sentMs > blockedMs && reply.receivedMs < unblockedMs) meanwhile++;
  }
  // Half of those sent are enough, wherever else the machine was busy: none at all would be answered by that thread.
  const sent = load.exchanges.filter(({ sentMs }) => sentMs > blockedMs && sentMs < unblockedMs).length;
  assert.ok(sent > 0 && meanwhile > sent / 2, `${meanwhile} of ${sent} were answered meanwhile`);
  assert.deepEqual(await faulty.server.addresses(NAME), [ADDRESS]);
});
