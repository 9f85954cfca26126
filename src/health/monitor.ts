// monitor.ts -- keeps every check running and turns its results into outcomes

import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../base/clock.ts';
import { formatDuration } from '../base/duration.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { BulkPace } from './bulk-pace.ts';
import type { DampingView } from './check-report.ts';
import type { CheckSpec, CheckType, Outcome, ProbeResult } from './check-spec.ts';
import type { ProbeTarget } from './checker.ts';
import { type DampingSettings, type DampingState, damp, heldForMs, UNDAMPED } from './damping.ts';
import { probeHost } from './probe-host.ts';
import { boundOutput } from './probe-output.ts';
import { ProbeQueue } from './probe-queue.ts';
import { type Checkers, Prober } from './prober.ts';
import { freshState, isFalling, type RiseFallState, restoredState, step, type Thresholds } from './rise-fall.ts';
import { periodBeginsMs, Schedule } from './schedule.ts';
import { graceMs } from './second-look.ts';

/** One result of one check, and what the check counts as now. */
export interface CheckEvent {
  readonly instanceId: string;
  readonly checkId: string;
  readonly type: CheckType;
  readonly result: ProbeResult;
  /** After rise and fall, and damping. */
  readonly outcome: Outcome;
  /** There have been critical results, but not `fall` of them in a row yet. */
  readonly failing: boolean;
  /** Where flap damping stands; undefined while there is nothing to say. */
  readonly damping: DampingView | undefined;
  /** The outcome is not what it was: nothing, `initial`, a restored one, or that of the results before. */
  readonly changed: boolean;
  /** This is the first result since the check began to be watched. */
  readonly first: boolean;
}

/** Calls `fire` at the times of the check's `schedule`, until cancelled. */
export type CronSchedule = (check: CheckSpec, fire: () => void) => { cancel(): void };

export interface HealthMonitorOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Heartbeat checks need none; any other check without a checker is critical, and says so. */
  readonly checkers: Checkers;
  /** Runs the checks that have a `schedule`; without it they go by their interval. */
  readonly cron?: CronSchedule;
  /** Fraction of the interval by which each period may be longer or shorter; 0 <= jitter < 1. */
  readonly jitter: number;
  /** Probes under way at a time; >= 1. Those beyond wait, and hosts take turns. */
  readonly concurrency: number;
  /** Of them to one host; >= 1. */
  readonly perHost: number;
  readonly damping: DampingSettings;
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
  /** Stagger the first probes over the interval, as at a start with many that were checked before. */
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
  /** Whom its probes burden. */
  readonly host: string;
  state: RiseFallState;
  damping: DampingState;
  /** What the check counts as, after damping. */
  outcome: Outcome | undefined;
  seen: boolean;
  /** A probe is under way, or waits for its turn. */
  busy: boolean;
  /** Its next probe; for a heartbeat check the end of the silence allowed. */
  timer: Timer | undefined;
  cron: { cancel(): void } | undefined;
  /** Set while the check is critical and wants its instance deregistered for that. */
  reaper: Timer | undefined;
  lastOutput: string;
  stopped: boolean;
}

/**
 * Runs the checks of all instances. A check is probed at once when it is first watched (unless very many come at once:
 * those are spread), then every interval, never twice at a time. Outcomes follow rise-fall.ts and damping.ts. Results
 * of a check that was meanwhile unwatched or changed are dropped; its probe keeps its place among the `concurrency`
 * until it settles.
 *
 * Heartbeat checks are not probed. A heartbeat is the instance's own word and silence is not a flaky measurement, so
 * both count at once, whatever `rise` and `fall` say (as Consul's TTL checks do), and are not damped.
 */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #schedule: Schedule;
  readonly #queue: ProbeQueue;
  readonly #prober: Prober;
  readonly #pace: BulkPace;
  readonly #instances = new Map<string, Map<string, Watched>>();

  constructor(options: HealthMonitorOptions) {
    const { clock, random, jitter, concurrency, perHost } = options;
    this.#options = options;
    this.#schedule = new Schedule(clock, random, jitter);
    this.#queue = new ProbeQueue({ total: concurrency, perHost });
    this.#prober = new Prober(options.checkers, clock, this.#schedule.wheel, options.log);
    this.#pace = new BulkPace(clock);
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
    for (const [id, watched] of before) if (after.get(id) !== watched) this.#end(watched);
    if (after.size > 0) this.#instances.set(instanceId, after);
    else this.#instances.delete(instanceId);
    for (const watched of begun) this.#begin(watched, options.spread);
  }

  /** Does any check of the instance run? */
  isWatched(instanceId: string): boolean {
    return this.#instances.has(instanceId);
  }

  /** Stop all checks of the instance; harmless when there are none. */
  unwatch(instanceId: string): void {
    const checks = this.#instances.get(instanceId);
    this.#instances.delete(instanceId);
    for (const watched of checks?.values() ?? []) this.#end(watched);
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
    const { check } = watched.target;
    this.#reapWhileCritical(watched);
    if (check.type === 'heartbeat') {
      this.#awaitHeartbeat(watched);
      return;
    }
    this.#pace.add(check.intervalMs);
    if (check.schedule !== undefined) watched.cron = this.#options.cron?.(check, () => this.#due(watched, undefined));
    if (spread) watched.timer = this.#schedule.spread(check.intervalMs, (dueMs) => this.#due(watched, dueMs));
    else if (this.#pace.take()) this.#due(watched, undefined);
    else {
      // Somebody waits for the first result, so a long interval is no reason to be late with it.
      const withinMs = Math.min(check.intervalMs, LONGEST_WAIT_MS);
      watched.timer = this.#schedule.spread(withinMs, (dueMs) => this.#due(watched, dueMs));
    }
  }

  #end(watched: Watched): void {
    const { check } = watched.target;
    watched.stopped = true;
    watched.timer?.cancel();
    watched.cron?.cancel();
    watched.reaper?.cancel();
    if (check.type !== 'heartbeat') this.#pace.remove(check.intervalMs);
  }

  /** Time for a probe; `dueMs` is when it should have begun, undefined: now. */
  #due(watched: Watched, dueMs: number | undefined): void {
    if (watched.busy || watched.stopped) return;
    watched.timer?.cancel();
    watched.timer = undefined;
    watched.busy = true;
    const beginMs = dueMs ?? this.#options.clock.monotonicMs();
    this.#queue.add(watched.host, () => (watched.stopped ? Promise.resolve() : this.#probe(watched, beginMs)));
  }

  async #probe(watched: Watched, dueMs: number): Promise<void> {
    const startedMs = this.#options.clock.monotonicMs();
    const result = await this.#prober.probe(watched.target);
    watched.busy = false;
    if (watched.stopped) return;
    if (watched.cron === undefined) {
      const { intervalMs } = watched.target.check;
      const beganMs = periodBeginsMs(dueMs, startedMs);
      watched.timer = this.#schedule.next(intervalMs, beganMs, (nextMs) => this.#due(watched, nextMs));
    }
    this.#conclude(watched, result);
  }

  #awaitHeartbeat(watched: Watched): void {
    const { intervalMs } = watched.target.check;
    const { wheel } = this.#schedule;
    const silence = () => {
      const last = watched.lastOutput === '' ? '' : `; the last one said: ${watched.lastOutput}`;
      const output = boundOutput(`no heartbeat within ${formatDuration(intervalMs)}${last}`);
      this.#conclude(watched, { outcome: 'critical', output, latencyMs: 0 });
    };
    watched.timer = wheel.after(intervalMs, () => {
      const moreMs = graceMs(wheel.stallMs, intervalMs);
      if (moreMs === 0) silence();
      else watched.timer = wheel.after(moreMs, silence);
    });
  }

  #conclude(watched: Watched, result: ProbeResult): void {
    const { instanceId, check } = watched.target;
    const isHeartbeat = check.type === 'heartbeat';
    const before = watched.outcome;
    const first = !watched.seen;
    const was = watched.state.outcome;
    watched.state = step(watched.state, result.outcome, isHeartbeat ? AT_ONCE : check);
    watched.seen = true;
    const now = watched.state.outcome ?? result.outcome;
    if (!isHeartbeat) {
      const fell = now === 'critical' && was !== undefined && was !== 'critical';
      watched.damping = damp(watched.damping, fell, this.#options.clock.monotonicMs(), this.#options.damping);
    }
    const outcome = watched.damping.isSuppressed ? 'critical' : now;
    watched.outcome = outcome;
    this.#reapWhileCritical(watched);
    const event: CheckEvent = {
      instanceId,
      checkId: check.id,
      type: check.type,
      result,
      outcome,
      failing: outcome !== 'critical' && isFalling(watched.state),
      damping: this.#showDamping(watched.damping),
      changed: outcome !== before,
      first,
    };
    this.#call(watched, () => this.#options.onResult(event));
  }

  #showDamping(state: DampingState): DampingView | undefined {
    if (state === UNDAMPED) return undefined;
    const heldMs = heldForMs(state, this.#options.damping);
    return {
      penalty: Math.round(state.penalty * 100) / 100,
      suppressed: state.isSuppressed,
      reuseAtMs: state.isSuppressed ? this.#options.clock.wallMs() + heldMs : undefined,
    };
  }

  /** By the results themselves: an instance that is only held out because it flaps is not deregistered for that. */
  #reapWhileCritical(watched: Watched): void {
    const { instanceId, check } = watched.target;
    if (watched.state.outcome !== 'critical' || check.deregisterAfterMs === undefined) {
      watched.reaper?.cancel();
      watched.reaper = undefined;
      return;
    }
    const { wheel } = this.#schedule;
    const { deregisterAfterMs } = check;
    const reap = () => {
      watched.reaper = undefined;
      this.#reapWhileCritical(watched);
      this.#call(watched, () => this.#options.onDeregister(instanceId, check.id));
    };
    watched.reaper ??= wheel.after(deregisterAfterMs, () => {
      const moreMs = graceMs(wheel.stallMs, deregisterAfterMs);
      if (moreMs === 0) reap();
      else watched.reaper = wheel.after(moreMs, reap);
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

/** The longest a check in a bulk load waits for its first probe. */
const LONGEST_WAIT_MS = 30_000;

function newlyWatched(target: ProbeTarget, restored: Outcome | undefined): Watched {
  const state = restored === undefined ? freshState(target.check.initial) : restoredState(restored);
  return {
    target,
    host: probeHost(target),
    state,
    damping: UNDAMPED,
    outcome: state.outcome,
    seen: false,
    busy: false,
    timer: undefined,
    cron: undefined,
    reaper: undefined,
    lastOutput: '',
    stopped: false,
  };
}

function isSameTarget(left: ProbeTarget, right: ProbeTarget): boolean {
  const isSamePlace = left.address === right.address && left.port === right.port;
  return isSamePlace && left.isStatic === right.isStatic && isDeepStrictEqual(left.check, right.check);
}
