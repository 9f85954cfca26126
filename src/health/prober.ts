// prober.ts -- one probe with a definite end: watches over the checker, and over our own event loop

import type { Clock } from '../base/clock.ts';
import { formatDuration } from '../base/duration.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { CheckType, ProbeResult } from './check-spec.ts';
import type { Checker, ProbeTarget } from './checker.ts';
import { LoopLag } from './loop-lag.ts';
import { boundOutput } from './probe-output.ts';
import { needsSecondLook } from './second-look.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** The checkers by type; a check without one is critical, and says so. */
export type Checkers = Readonly<Partial<Record<CheckType, Checker | undefined>>>;

/** How much longer than its timeout a probe may take before the checker is not waited for any more. */
const WATCHDOG_GRACE_MS = 500;

export class Prober {
  readonly #checkers: Checkers;
  readonly #clock: Clock;
  readonly #wheel: TimerWheel;
  readonly #log: Logger;
  readonly #lag: LoopLag;

  constructor(checkers: Checkers, clock: Clock, wheel: TimerWheel, log: Logger) {
    this.#checkers = checkers;
    this.#clock = clock;
    this.#wheel = wheel;
    this.#log = log;
    this.#lag = new LoopLag(clock, wheel);
  }

  /** Probe once, or twice when the first time our own event loop may have been at fault. Never rejects. */
  async probe(target: ProbeTarget): Promise<ProbeResult> {
    const first = await this.#look(target);
    const { timeoutMs } = target.check;
    const { outcome } = first.result;
    if (!needsSecondLook({ outcome, lagMs: first.lagMs, timeoutMs })) return first.result;
    this.#log.debug({ instance: target.instanceId, check: target.check.id, lagMs: first.lagMs }, 'probing once more');
    return (await this.#look(target)).result;
  }

  async #look(target: ProbeTarget): Promise<{ result: ProbeResult; lagMs: number }> {
    const endWatch = this.#lag.watch();
    const result = await this.#ask(target);
    return { result, lagMs: endWatch() };
  }

  /** Settles even when a checker breaks its promise to: a check that hangs must not leave a dead instance answered. */
  #ask(target: ProbeTarget): Promise<ProbeResult> {
    const { id, type, timeoutMs } = target.check;
    const startedMs = this.#clock.monotonicMs();
    const checker = this.#checkers[type];
    const critical = (output: string): ProbeResult => ({
      outcome: 'critical',
      output: boundOutput(output),
      latencyMs: this.#clock.monotonicMs() - startedMs,
    });
    if (checker === undefined) return Promise.resolve(critical(`${type} checks are not available on this server`));
    return new Promise((resolve) => {
      const watchdog = this.#wheel.after(timeoutMs + WATCHDOG_GRACE_MS, () => {
        this.#log.error({ instance: target.instanceId, check: id, type }, 'a checker overran its deadline');
        resolve(critical(`the probe did not end within ${formatDuration(timeoutMs)}`));
      });
      const settle = (result: ProbeResult) => {
        watchdog.cancel();
        resolve(result);
      };
      callChecker(checker, target).then(settle, (thrown) => settle(critical(errorMessage(thrown))));
    });
  }
}

/** A checker that throws instead of rejecting is caught here too. */
async function callChecker(checker: Checker, target: ProbeTarget): Promise<ProbeResult> {
  return checker.probe(target);
}
