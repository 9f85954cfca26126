// watched-monitor.ts -- a HealthMonitor on a clock that the test moves, with a checker that does as it is told

import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { CheckSpec, Outcome, ProbeResult } from '../../src/health/check-spec.ts';
import type { Checker, ProbeTarget } from '../../src/health/checker.ts';
import { DEFAULT_DAMPING } from '../../src/health/damping.ts';
import { type CheckEvent, HealthMonitor, type HealthMonitorOptions } from '../../src/health/monitor.ts';
import { FakeClock } from './fake-clock.ts';
import { checkSpec, probeTarget } from './probe-target.ts';

/** A checker whose results the test sets, each after a time the test sets. */
export class ScriptedChecker implements Checker {
  outcome: Outcome = 'passing';
  tookMs = 0;
  /** When each probe began, and for what. */
  readonly probes: { readonly atMs: number; readonly key: string }[] = [];
  readonly #clock: FakeClock;
  running = 0;
  mostRunning = 0;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  probe(target: ProbeTarget): Promise<ProbeResult> {
    this.probes.push({ atMs: this.#clock.monotonicMs(), key: `${target.instanceId}/${target.check.id}` });
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    return new Promise((resolve) => {
      const end = () => {
        this.running--;
        resolve({ outcome: this.outcome, output: `it is ${this.outcome}`, latencyMs: this.tookMs });
      };
      if (this.tookMs === 0) end();
      else this.#clock.after(this.tookMs, end);
    });
  }

  async close(): Promise<void> {}

  get times(): number[] {
    return this.probes.map((probe) => probe.atMs);
  }
}

export function watchedMonitor(parts: Partial<HealthMonitorOptions> = {}) {
  const clock = new FakeClock();
  const checker = new ScriptedChecker(clock);
  const events: CheckEvent[] = [];
  const deregistered: string[] = [];
  const monitor = new HealthMonitor({
    clock,
    random: seededRandom(7),
    checkers: { tcp: checker },
    jitter: 0,
    concurrency: 512,
    perHost: 512,
    damping: DEFAULT_DAMPING,
    onResult: (event) => void events.push(event),
    onDeregister: (instanceId, checkId) => void deregistered.push(`${instanceId}/${checkId}@${clock.monotonicMs()}`),
    log: silentLogger,
    ...parts,
  });
  const watch = (check: CheckSpec, restored: Readonly<Record<string, Outcome>> = {}) =>
    monitor.watch('cart-1', [probeTarget(check)], { restored, spread: false });
  /** Outcomes so far, as first letters. */
  const outcomes = () => events.map((event) => event.outcome[0]).join('');
  return { clock, checker, events, deregistered, monitor, watch, outcomes };
}

export const tcp = (parts: Partial<CheckSpec> = {}) => checkSpec('tcp', { intervalMs: 1000, timeoutMs: 500, ...parts });
export const beat = (parts: Partial<CheckSpec> = {}) => checkSpec('heartbeat', { intervalMs: 3000, ...parts });
