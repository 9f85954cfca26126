// monitor.ts -- keeps every check running and turns its results into outcomes

import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../base/clock.ts';
import { formatDuration } from '../base/duration.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { CheckType, Outcome, ProbeResult } from './check-spec.ts';
import type { Checker, ProbeTarget } from './checker.ts';
import { boundOutput } from './probe-output.ts';
import { ProbeQueue } from './probe-queue.ts';
import { freshState, type RiseFallState, restoredState, step, type Thresholds } from './rise-fall.ts';
import { Schedule } from './schedule.ts';

/** One result of one check, and what the check counts as now. */
export interface CheckEvent {
  readonly instanceId: string;
  readonly checkId: string;
  readonly type: CheckType;
  readonly result: ProbeResult;
  /** After rise and fall. */
  readonly outcome: Outcome;
  /** The outcome is not what it was: nothing, `initial`, a restored one, or that of the results before. */
  readonly changed: boolean;
  /** This is the first result since the check began to be watched. */
  readonly first: boolean;
}

export interface HealthMonitorOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Heartbeat checks need none; any other check without a checker is critical, and says so. */
  readonly checkers: Readonly<Partial<Record<CheckType, Checker | undefined>>>;
  /** Fraction of the interval by which each period may be longer or shorter; 0 <= jitter < 1. */
  readonly jitter: number;
  /** Probes under way at a time; >= 1. Those beyond wait in line. */
  readonly concurrency: number;
  /** Called for every result, in the order they came. */
  readonly onResult: (event: CheckEvent) => void;
  /**
   * Called when a check has been critical for `deregisterAfterMs`, and again after each further such time: should the
   * deregistration have failed, it is asked for again.
   */
  readonly onDeregister: (instanceId: string, checkId: string) => void;
  readonly log: Logger;
}

export interface WatchOptions {
  /** Last known outcomes by check id, from before a restart. */
  readonly restored: Readonly<Record<string, Outcome>>;
  /** Stagger the first probes over the interval; for bulk loads only. */
  readonly spread: boolean;
}

/** What an instance says of itself. */
export interface Heartbeat {
  /** Default passing. */
  readonly status?: Outcome;
  readonly output?: string;
}

interface Watched {
  readonly target: ProbeTarget;
  state: RiseFallState;
  seen: boolean;
  /** Its next probe; for a heartbeat check the end of the silence allowed. */
  timer: Timer | undefined;
  /** Set while the check is critical and wants its instance deregistered for that. */
  reaper: Timer | undefined;
  lastOutput: string;
  stopped: boolean;
}

/**
 * Runs the checks of all instances. A check is probed at once when it is first watched, then every interval, never
 * twice at a time. Outcomes follow rise-fall.ts. Results of a check that was meanwhile unwatched or changed are
 * dropped; its probe keeps its place among the `concurrency` until it settles.
 *
 * Heartbeat checks are not probed. A heartbeat is the instance's own word and silence is not a flaky measurement, so
 * both count at once, whatever `rise` and `fall` say (as Consul's TTL checks do).
 */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #schedule: Schedule;
  readonly #queue: ProbeQueue;
  readonly #instances = new Map<string, Map<string, Watched>>();

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
    this.#schedule = new Schedule(options.clock, options.random, options.jitter);
    this.#queue = new ProbeQueue(options.concurrency);
  }

  /** Probes under way and probes that wait for their turn. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#queue.running, waiting: this.#queue.waiting };
  }

  /**
   * Make `targets` the checks of the instance. A check that is as it was (same spec, same address and port) keeps its
   * state and its schedule; new and changed ones start anew, and those not named any more stop. Idempotent.
   */
  watch(instanceId: string, targets: readonly ProbeTarget[], options: WatchOptions): void {
    const before = this.#instances.get(instanceId) ?? new Map<string, Watched>();
    const after = new Map<string, Watched>();
    const begun: Watched[] = [];
    for (const target of targets) {
      const id = target.check.id;
      const known = before.get(id);
      if (known !== undefined && isSameTarget(known.target, target)) {
        after.set(id, known);
        continue;
      }
      const restored = Object.hasOwn(options.restored, id) ? options.restored[id] : undefined;
      const watched = newlyWatched(target, restored);
      after.set(id, watched);
      begun.push(watched);
    }
    for (const [id, watched] of before) if (after.get(id) !== watched) stop(watched);
    if (after.size > 0) this.#instances.set(instanceId, after);
    else this.#instances.delete(instanceId);
    for (const watched of begun) this.#begin(watched, options.spread);
  }

  /** Stop all checks of the instance; harmless when there are none. */
  unwatch(instanceId: string): void {
    const checks = this.#instances.get(instanceId);
    this.#instances.delete(instanceId);
    for (const watched of checks?.values() ?? []) stop(watched);
  }

  /** Feed all heartbeat checks of the instance; returns how many it has. */
  heartbeat(instanceId: string, beat: Heartbeat): number {
    let fed = 0;
    for (const watched of [...(this.#instances.get(instanceId)?.values() ?? [])]) {
      if (watched.target.check.type !== 'heartbeat' || watched.stopped) continue;
      fed++;
      watched.timer?.cancel();
      this.#awaitHeartbeat(watched);
      const output = boundOutput(beat.output ?? '');
      this.#conclude(watched, { outcome: beat.status ?? 'passing', output, latencyMs: 0 });
      watched.lastOutput = output;
    }
    return fed;
  }

  /** Stop all checks. Probes under way are left to the checkers' own `close`; their results are dropped. */
  stop(): void {
    for (const id of [...this.#instances.keys()]) this.unwatch(id);
    this.#queue.clear();
  }

  #begin(watched: Watched, spread: boolean): void {
    this.#reapWhileCritical(watched);
    const check = watched.target.check;
    if (check.type === 'heartbeat') this.#awaitHeartbeat(watched);
    else if (spread) watched.timer = this.#schedule.first(check.intervalMs, true, () => this.#due(watched));
    else this.#due(watched);
  }

  #due(watched: Watched): void {
    watched.timer = undefined;
    this.#queue.add(() => (watched.stopped ? Promise.resolve() : this.#probe(watched)));
  }

  async #probe(watched: Watched): Promise<void> {
    const startedMs = this.#options.clock.monotonicMs();
    const result = await this.#probeOnce(watched.target, startedMs);
    if (watched.stopped) return;
    watched.timer = this.#schedule.next(watched.target.check.intervalMs, startedMs, () => this.#due(watched));
    this.#conclude(watched, result);
  }

  /** Settles even when a checker breaks its promise to: a check that hangs must not leave a dead instance answered. */
  #probeOnce(target: ProbeTarget, startedMs: number): Promise<ProbeResult> {
    const { id, type, timeoutMs } = target.check;
    const checker = this.#options.checkers[type];
    const critical = (output: string): ProbeResult => ({
      outcome: 'critical',
      output: boundOutput(output),
      latencyMs: this.#options.clock.monotonicMs() - startedMs,
    });
    if (checker === undefined) return Promise.resolve(critical(`${type} checks are not available on this server`));
    return new Promise((resolve) => {
      const watchdog = this.#schedule.exactly(timeoutMs + WATCHDOG_GRACE_MS, () => {
        this.#options.log.error({ instance: target.instanceId, check: id, type }, 'a checker overran its deadline');
        resolve(critical(`the probe did not end within ${formatDuration(timeoutMs)}`));
      });
      const settle = (result: ProbeResult) => {
        watchdog.cancel();
        resolve(result);
      };
      callChecker(checker, target).then(settle, (thrown) => settle(critical(errorMessage(thrown))));
    });
  }

  #awaitHeartbeat(watched: Watched): void {
    const { intervalMs } = watched.target.check;
    watched.timer = this.#schedule.exactly(intervalMs, () => {
      const last = watched.lastOutput === '' ? '' : `; the last one said: ${watched.lastOutput}`;
      const output = boundOutput(`no heartbeat within ${formatDuration(intervalMs)}${last}`);
      this.#conclude(watched, { outcome: 'critical', output, latencyMs: 0 });
    });
  }

  #conclude(watched: Watched, result: ProbeResult): void {
    const { instanceId, check } = watched.target;
    const thresholds = check.type === 'heartbeat' ? AT_ONCE : check;
    const before = watched.state.outcome;
    const first = !watched.seen;
    watched.state = step(watched.state, result.outcome, thresholds);
    watched.seen = true;
    this.#reapWhileCritical(watched);
    const outcome = watched.state.outcome ?? result.outcome;
    const event = {
      instanceId,
      checkId: check.id,
      type: check.type,
      result,
      outcome,
      changed: outcome !== before,
      first,
    };
    this.#call(watched, () => this.#options.onResult(event));
  }

  #reapWhileCritical(watched: Watched): void {
    const { instanceId, check } = watched.target;
    if (watched.state.outcome !== 'critical' || check.deregisterAfterMs === undefined) {
      watched.reaper?.cancel();
      watched.reaper = undefined;
      return;
    }
    watched.reaper ??= this.#schedule.exactly(check.deregisterAfterMs, () => {
      watched.reaper = undefined;
      this.#reapWhileCritical(watched);
      this.#call(watched, () => this.#options.onDeregister(instanceId, check.id));
    });
  }

  /** A callback that throws is a bug above us; one instance's trouble must not stop the checks of all others. */
  #call(watched: Watched, callback: () => void): void {
    try {
      callback();
    } catch (thrown) {
      const { instanceId, check } = watched.target;
      this.#options.log.error({ instance: instanceId, check: check.id, err: thrown }, 'handling a check result failed');
    }
  }
}

const AT_ONCE: Thresholds = { rise: 1, fall: 1 };

/** How much longer than its timeout a probe may take before the monitor stops waiting for the checker. */
const WATCHDOG_GRACE_MS = 500;

function newlyWatched(target: ProbeTarget, restored: Outcome | undefined): Watched {
  return {
    target,
    state: restored === undefined ? freshState(target.check.initial) : restoredState(restored),
    seen: false,
    timer: undefined,
    reaper: undefined,
    lastOutput: '',
    stopped: false,
  };
}

function stop(watched: Watched): void {
  watched.stopped = true;
  watched.timer?.cancel();
  watched.reaper?.cancel();
}

function isSameTarget(left: ProbeTarget, right: ProbeTarget): boolean {
  return left.address === right.address && left.port === right.port && isDeepStrictEqual(left.check, right.check);
}

/** A checker that throws instead of rejecting is caught here too. */
async function callChecker(checker: Checker, target: ProbeTarget): Promise<ProbeResult> {
  return checker.probe(target);
}
