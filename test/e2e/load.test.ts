// load.test.ts -- under 2,000 queries a second instances come, are killed and come back: no query is lost, nobody dead is named

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BuiltServer, startBuiltServer, writeConfig } from '../support/built-server.ts';
import { percentile, QueryLoad, readAnswer } from '../support/query-load.ts';
import { ToyInstance } from '../support/toy-instance.ts';

const QUERIES_PER_SECOND = 2000;
const DURATION_MS = 15_000;
const INTERVAL_MS = 200;
const TIMEOUT_MS = 100;
const FALL = 2;
const JITTER = 0.1;
/** Registrations and deregistrations in a round. */
const VISITS = 10;
const CHECK = { interval: `${INTERVAL_MS}ms`, timeout: `${TIMEOUT_MS}ms`, rise: 1, fall: FALL };
const RELOADS = 40;
const ZONE = '$TTL 5\n@ SOA ns hostmaster 1 15 5 604800 5\n@ NS ns\nns A 127.0.0.1\n';
/** How long after its death an instance may still be answered. */
const STALENESS_LIMIT_MS = INTERVAL_MS * (1 + JITTER) * FALL + TIMEOUT_MS + 1000;
/** Dead for so much longer, so that whoever exceeds the limit is seen to. */
const BEYOND_LIMIT_MS = 200;

/** A time in which an instance is not there; by performance.now(). */
interface Absence {
  readonly address: string;
  readonly fromMs: number;
  readonly untilMs: number;
  /** Killed: may be answered for a while. Known: the API has said so, and no query sent since may be told of it. */
  readonly kind: 'killed' | 'known';
}

test('register, kill, recover under load', async (t) => {
  const server = await startBuiltServer(t, { config: { health: { jitter: JITTER } } });
  const toys = await Promise.all(['127.0.0.2', '127.0.0.3', '127.0.0.4'].map((each) => ToyInstance.start(t, each)));
  for (const toy of toys) await server.register('cart-service', toy.address, toy.registration(CHECK));
  await server.until('cart-service', (all) => all.every(({ status }) => status === 'healthy'));

  const load = await QueryLoad.start(server.dns, 'cart-service.service.local', QUERIES_PER_SECOND);
  const absences: Absence[] = [];
  const endMs = performance.now() + DURATION_MS;
  for (let round = 0; performance.now() < endMs; round++) {
    // Every third round only one is left.
    const count = round % 3 === 2 ? 2 : 1;
    const victims = Array.from({ length: count }, (_, i) => toys[(round + i) % toys.length]!);
    await Promise.all([killAndMend(server, victims, absences), comeAndGo(server, round, absences)]);
  }
  await load.stop();
  judge(t, load, absences);
  assert.deepEqual(await server.stop(), { exitCode: 0, signal: null });
});

/** Kill instances for longer than they may be answered, start them again, wait until both is noticed. */
async function killAndMend(server: BuiltServer, victims: readonly ToyInstance[], absences: Absence[]): Promise<void> {
  const killedMs = await Promise.all(victims.map((toy) => toy.kill()));
  await untilAll(server, victims, 'unhealthy');
  const knownMs = performance.now();
  await sleep(Math.max(...killedMs) + STALENESS_LIMIT_MS + BEYOND_LIMIT_MS - knownMs);
  // It listens at some moment of its start, and may be answered from then on.
  const untilMs = performance.now();
  for (const [i, { address }] of victims.entries()) {
    absences.push({ address, fromMs: killedMs[i]!, untilMs, kind: 'killed' });
    absences.push({ address, fromMs: knownMs, untilMs, kind: 'known' });
  }
  await Promise.all(victims.map((toy) => toy.restart()));
  await untilAll(server, victims, 'healthy');
}

async function untilAll(server: BuiltServer, toys: readonly ToyInstance[], status: string): Promise<void> {
  await server.until('cart-service', (all) =>
    toys.every((toy) => all.find(({ id }) => id === toy.address)?.status === status),
  );
}

/** Register an instance without a check, and take it off again, a few times. */
async function comeAndGo(server: BuiltServer, round: number, absences: Absence[]): Promise<void> {
  for (let visit = 1; visit <= VISITS; visit++) {
    const address = `127.0.${round + 1}.${visit}`;
    await server.register('cart-service', 'guest', { address, port: 8080 });
    assert.ok((await server.addresses('cart-service.service.local')).includes(address), `${address} is not answered`);
    const { status } = await server.api('DELETE', '/v1/instances/guest');
    assert.equal(status, 204);
    absences.push({ address, fromMs: performance.now(), untilMs: Number.POSITIVE_INFINITY, kind: 'known' });
  }
}

function judge(t: TestContext, { exchanges }: QueryLoad, absences: readonly Absence[]): void {
  const replies = exchanges.flatMap(({ sentMs, type, reply }) =>
    reply === undefined ? [] : [{ sentMs, type, ...reply }],
  );
  const lost = exchanges.length - replies.length;
  const latencies = replies.map(({ sentMs, receivedMs }) => receivedMs - sentMs);
  let worstStalenessMs = 0;
  for (const { sentMs, receivedMs, type, octets } of replies) {
    const { rcode, data } = readAnswer(octets);
    assert.equal(rcode, 0);
    assert.ok(data.length > 0, 'an empty answer while an instance is healthy');
    const named =
      type === 'A' ? data : data.map((each) => each.replace(/^.* ([\d-]+)\.addr\..*$/, '$1').replaceAll('-', '.'));
    for (const { address, fromMs, untilMs, kind } of absences) {
      if (!named.includes(address) || sentMs < fromMs || receivedMs >= untilMs) continue;
      assert.equal(kind, 'killed', `${address} is answered ${sentMs - fromMs} ms after the API said that it is out`);
      worstStalenessMs = Math.max(worstStalenessMs, receivedMs - fromMs);
    }
  }
  const killed = absences.filter(({ kind }) => kind === 'killed').length;
  const seconds = (exchanges.at(-1)!.sentMs - exchanges[0]!.sentMs) / 1000;
  t.diagnostic(`${exchanges.length} queries, ${Math.round(exchanges.length / seconds)} a second, ${lost} lost`);
  t.diagnostic(`${killed} kills, ${absences.length - 2 * killed} registrations and deregistrations meanwhile`);
  t.diagnostic(
    `a killed instance was answered for at most ${Math.round(worstStalenessMs)} ms (limit ${STALENESS_LIMIT_MS} ms)`,
  );
  const [half, most] = [percentile(latencies, 0.5), percentile(latencies, 0.99)];
  t.diagnostic(`latency: median ${half.toFixed(2)} ms, p99 ${most.toFixed(2)} ms, both ends in one`);
  assert.ok(
    exchanges.length >= ((QUERIES_PER_SECOND * DURATION_MS) / 1000) * 0.98,
    'the load was not what it should be',
  );
  assert.equal(lost, 0);
  assert.ok(worstStalenessMs > 0, 'nobody was ever seen dead: the test has not measured anything');
  assert.ok(worstStalenessMs <= STALENESS_LIMIT_MS, `a dead instance was answered for ${worstStalenessMs} ms`);
  assert.ok(killed >= 6, `only ${killed} kills`);
}

test('reloads under load lose no query', async (t) => {
  const server = await startBuiltServer(t, { zones: { 'example.test.zone': ZONE } });
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  const load = await QueryLoad.start(server.dns, 'cart-service.service.local', QUERIES_PER_SECOND);
  for (let round = 0; round < RELOADS; round++) {
    // Listeners come and go as well, all but the one that is asked.
    const more = round % 2 === 0 ? ['127.0.0.5:0', '[::1]:0'] : [];
    writeConfig(server.folder, { dns: { listen: ['127.0.0.1:0', ...more], ttl: `${1 + round}s` } });
    assert.equal((await server.api('POST', '/v1/reload')).status, 200);
    await sleep(50);
  }
  await load.stop();
  const lost = load.exchanges.filter(({ reply }) => reply === undefined).length;
  t.diagnostic(`${load.exchanges.length} queries, ${RELOADS} reloads, ${lost} lost`);
  assert.equal(lost, 0);
  assert.ok(load.exchanges.length > 1000);
  for (const { type, reply } of load.exchanges) {
    const { rcode, data } = readAnswer(reply!.octets);
    assert.equal(rcode, 0);
    assert.deepEqual(data, [type === 'A' ? '10.1.0.1' : data[0]]);
  }
});
