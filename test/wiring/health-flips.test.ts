// health-flips.test.ts -- 1,000 instances that fail and recover at random: what is answered follows within its time

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { formatRdata } from '../../src/dns/rdata/rdata.ts';
import type { ProbeResult } from '../../src/health/check-spec.ts';
import type { Checker, ProbeTarget } from '../../src/health/checker.ts';
import { DEFAULT_DAMPING } from '../../src/health/damping.ts';
import { HealthMonitor } from '../../src/health/monitor.ts';
import type { FakeClock } from '../support/fake-clock.ts';
import { NameServer } from '../support/name-server.ts';

const SERVICES = 100;
const INSTANCES = 10;
const FLIPS = 200;
const RUN_MS = 120_000;
const INTERVAL_MS = 5000;
const TIMEOUT_MS = 2000;
const [JITTER, RISE, FALL] = [0.1, 2, 3];
const OUT_AFTER_MS = INTERVAL_MS * (1 + JITTER) * FALL + TIMEOUT_MS + 1000;
const BACK_AFTER_MS = INTERVAL_MS * (1 + JITTER) * RISE + 1000;
/** A bulk load spreads the first probes over an interval. */
const START_MS = INTERVAL_MS + 1000;
const SAMPLE_MS = 500;

/** Instances by address: since when they are well, or not. */
class Fleet implements Checker {
  readonly #clock: FakeClock;
  readonly states = new Map<string, { isWell: boolean; hangs: boolean; sinceMs: number }>();

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  probe({ address }: ProbeTarget): Promise<ProbeResult> {
    const { isWell, hangs } = this.states.get(address)!;
    const latencyMs = !isWell && hangs ? TIMEOUT_MS : 3;
    const result: ProbeResult = { outcome: isWell ? 'passing' : 'critical', output: '', latencyMs };
    return new Promise((resolve) => this.#clock.after(latencyMs, () => resolve(result)));
  }

  async close(): Promise<void> {}
}

function answered(server: NameServer, service: string): Set<string> {
  const { answers } = server.ask(`${service}.service.local. A`);
  return new Set(answers.map(({ type, rdata }) => formatRdata(type, rdata)));
}

it('nothing unhealthy is answered late, nothing healthy is ever missing', { timeout: 120_000 }, async () => {
  const random = seededRandom(4);
  const server = await NameServer.open({ domains: [{ name: 'service.local', maxAnswers: INSTANCES }] });
  const { clock, registry } = server;
  const fleet = new Fleet(clock);
  const monitor = new HealthMonitor({
    clock,
    random,
    checkers: { tcp: fleet },
    jitter: JITTER,
    concurrency: 512,
    perHost: 128,
    damping: DEFAULT_DAMPING,
    onResult: ({ instanceId, checkId, result, outcome, failing, damping }) =>
      registry.reportResult(instanceId, checkId, { ...result, outcome, failing, damping }),
    onDeregister: () => {},
    log: silentLogger,
  });
  for (let i = 0; i < SERVICES * INSTANCES; i++) {
    const service = `s${i % SERVICES}`;
    const address = `10.0.${i >> 8}.${i & 255}`;
    fleet.states.set(address, { isWell: true, hangs: false, sinceMs: 0 });
    await server.register(service, `i${i}`, { address, port: 80, checks: [{ id: 'alive', type: 'tcp', port: 80 }] });
    const { checks } = registry.instance(`i${i}`)!.instance;
    const targets = checks.map((check) => ({ instanceId: `i${i}`, service, address, port: 80, check }));
    monitor.watch(`i${i}`, targets, { restored: {}, spread: false });
  }
  await clock.advance(START_MS);
  const addresses = [...fleet.states.keys()];
  const flipsMs = Array.from({ length: FLIPS }, () => START_MS + random.next() * (RUN_MS - 2 * START_MS)).sort(
    (a, b) => a - b,
  );
  let seenOut = 0;
  while (clock.monotonicMs() < RUN_MS) {
    while (flipsMs[0] !== undefined && flipsMs[0] <= clock.monotonicMs()) {
      flipsMs.shift();
      const address = addresses[random.below(addresses.length)]!;
      const isWell = !fleet.states.get(address)!.isWell;
      fleet.states.set(address, { isWell, hangs: random.next() < 0.5, sinceMs: clock.monotonicMs() });
    }
    for (let s = 0; s < SERVICES; s++) {
      const inAnswer = answered(server, `s${s}`);
      for (let i = s; i < SERVICES * INSTANCES; i += SERVICES) {
        const address = addresses[i]!;
        const { isWell, sinceMs } = fleet.states.get(address)!;
        const forMs = clock.monotonicMs() - sinceMs;
        const isIn = inAnswer.has(address);
        if (!isWell && forMs > OUT_AFTER_MS) assert.ok(!isIn, `${address} is answered ${forMs} ms after it failed`);
        const mustBeIn = isWell && (sinceMs === 0 || forMs > BACK_AFTER_MS);
        if (mustBeIn) assert.ok(isIn, `${address} is missing, well for ${forMs} ms`);
        if (!isIn) seenOut++;
      }
    }
    await clock.advance(SAMPLE_MS);
  }
  assert.equal(flipsMs.length, 0);
  assert.ok(seenOut > FLIPS, 'failures are noticed at all');
  monitor.stop();
});
