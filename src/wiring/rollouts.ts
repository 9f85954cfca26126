// rollouts.ts -- drives progressive canaries: asks routing/rollout.ts when something changed, and stores where they go
//
// A step's time is counted on the monotonic clock while the server is up and the canary can be answered, stored now and
// then, and goes on from there after a restart. What the store cannot take is tried again.

import type { Clock, Timer } from '../base/clock.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { type Author, STEPS } from '../registry/author.ts';
import type { ServiceState } from '../registry/change.ts';
import type { Policy } from '../registry/policy.ts';
import type { Registry } from '../registry/registry.ts';
import { isSamePlace, type Rollout } from '../registry/rollout.ts';
import {
  canaryHealth,
  canaryMembers,
  currentRollout,
  firstMove,
  type Move,
  moveByHand,
  nextMove,
  type RolloutAction,
  type RolloutView,
  type Situation,
  type Tally,
  whyWaiting,
} from '../routing/rollout.ts';
import { TrafficCount } from './traffic-count.ts';

/** Changes of a service's instances within this time are looked at together. */
const LOOK_MS = 100;
/** When to look again at a step that is due and held up, or that could not be stored. */
const RETRY_MS = 1000;
/** How often the time that steps have been in force is stored; as much may be lost in a crash. */
const SAVE_MS = 10_000;

export interface RolloutsOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
  /** Calls `fire` at the times of a cron expression, until cancelled. */
  readonly cron: (when: { schedule: string; timezone?: string | undefined }, fire: () => void) => Timer;
  /**
   * Requests that the gateway has sent to an instance, and those of them that failed, since it knows it; undefined: none.
   * Undefined itself: nothing counts requests.
   */
  readonly tallies?: ((instanceId: string) => Tally | undefined) | undefined;
  /** Only one node of a cluster moves steps. */
  readonly isElected?: () => boolean;
}

/** A service whose policy has steps, and where they are. */
interface Current {
  readonly service: ServiceState;
  readonly policy: Policy & Required<Pick<Policy, 'steps'>>;
  readonly place: Rollout;
}

/** A rollout that is not over. */
interface Driven {
  readonly place: Rollout;
  /** How long the step had been in force at `countedMs` (monotonic). */
  stoodMs: number;
  countedMs: number;
  /** Somebody is there who is answered by it, as of the last look: its time goes on. */
  isCounting: boolean;
  /** Waits for the next step's time. */
  readonly cron: Timer | undefined;
  /** Requests to the canary in this step; undefined: they do not matter. */
  traffic: TrafficCount | undefined;
}

type ChooseMove = (current: Current) => Move | undefined;

/** Drives the steps of every policy that has them. */
export class Rollouts {
  readonly #options: RolloutsOptions;
  readonly #driven = new Map<string, Driven>();
  /** The next look at each service. */
  readonly #looks = new Map<string, { readonly dueMs: number; readonly timer: Timer }>();
  readonly #writing = new Map<string, Promise<void>>();
  readonly #unsubscribe: () => void;
  #saveTimer: Timer | undefined;
  #stopped = false;

  constructor(options: RolloutsOptions) {
    this.#options = options;
    for (const { name } of options.registry.services()) this.#look(name, false);
    this.#unsubscribe = options.registry.onChange(({ kind, service }) => {
      const hasSteps = options.registry.service(service)?.policy?.steps !== undefined;
      if (hasSteps || this.#driven.has(service)) this.#lookIn(service, kind === 'policy' ? 0 : LOOK_MS);
    });
  }

  /** Where the rollout of a service is; undefined when its policy has no steps. */
  show(name: string): RolloutView | undefined {
    const current = currentOf(this.#options.registry.service(name));
    if (current === undefined) return undefined;
    const { policy, place } = current;
    const situation = this.#situation(current, false);
    const waiting = whyWaiting(policy.steps, policy.guard, place, situation);
    return { ...place, stoodMs: situation.stoodMs, steps: policy.steps.length, waiting };
  }

  /**
   * Do what somebody asks; `toStep` is the index of the step that `restart` begins with. Throws CodedError
   * `unknown_rollout` when the policy has no steps, `rollout_over` where the action makes no sense any more, `invalid`
   * when there is no such step, `store_unavailable`.
   */
  async act(name: string, action: RolloutAction, by: Author, toStep?: number): Promise<void> {
    await this.#move(name, ({ policy, place }) => moveByHand(policy.steps, place, action, toStep), by);
  }

  /** Store how long steps have been in force, and drive nothing any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    this.#saveTimer?.cancel();
    for (const { timer } of this.#looks.values()) timer.cancel();
    for (const { cron } of this.#driven.values()) cron?.cancel();
    await Promise.all(this.#writing.values());
    await this.#saveTimes();
  }

  /** Another node does it from now on, or this one. */
  electionChanged(): void {
    for (const { name } of this.#options.registry.services()) this.#lookIn(name, 0);
  }

  get #isElected(): boolean {
    return this.#options.isElected?.() ?? true;
  }

  #lookIn(name: string, delayMs: number): void {
    const { clock } = this.#options;
    const dueMs = clock.monotonicMs() + delayMs;
    const planned = this.#looks.get(name);
    if (this.#stopped || (planned !== undefined && planned.dueMs <= dueMs)) return;
    planned?.timer.cancel();
    const timer = clock.after(delayMs, () => {
      this.#looks.delete(name);
      this.#look(name, false);
    });
    this.#looks.set(name, { dueMs, timer });
  }

  /** See where a service's rollout goes now. `isTime`: a time of the next step has come. */
  #look(name: string, isTime: boolean): void {
    const current = this.#isElected ? currentOf(this.#options.registry.service(name)) : undefined;
    this.#drive(name, current);
    // Where one is written, we are called again with what it made.
    if (current === undefined) return;
    this.#count(current);
    if (this.#stopped || this.#writing.has(name)) return;
    const { service, policy, place } = current;
    const { steps } = policy;
    if (!isSamePlace(service.rollout, place)) {
      this.#write(name, (now) =>
        isSamePlace(now.service.rollout, now.place) ? undefined : firstMove(now.policy.steps),
      );
      return;
    }
    const moveOf: ChooseMove = (now) =>
      nextMove(now.policy.steps, now.policy.guard, now.place, this.#situation(now, isTime));
    // Requests are no change that we hear of.
    if (this.#driven.get(name)?.traffic !== undefined) this.#lookIn(name, RETRY_MS);
    if (moveOf(current) !== undefined) this.#write(name, moveOf);
    else if (place.state === 'running') {
      const leftMs = (steps[place.step]?.forMs ?? 0) - this.#stoodMs(name, place);
      // What makes the time of a step go on again is a change, and that we hear of.
      if (leftMs > 0 && this.#driven.get(name)?.isCounting) this.#lookIn(name, leftMs);
      // Due and held up: not all that holds it up is a change that we hear of.
      else if (leftMs <= 0 && steps[place.step + 1]?.at === undefined) this.#lookIn(name, RETRY_MS);
    }
  }

  /** Count the time of a place, and listen for the time of the next step. */
  #drive(name: string, current: Current | undefined): void {
    const driven = this.#driven.get(name);
    if (driven !== undefined && isSamePlace(driven.place, current?.place)) return;
    driven?.cron?.cancel();
    this.#driven.delete(name);
    const { place, policy } = current ?? {};
    if (this.#stopped || (place?.state !== 'running' && place?.state !== 'paused')) return;
    const { at, timezone } = policy?.steps[place.step + 1] ?? {};
    const { clock, cron } = this.#options;
    // After a pause it is another place in the same step.
    const goesOn = driven?.place.plan === place.plan && driven.place.step === place.step && place.stoodMs > 0;
    this.#driven.set(name, {
      place,
      stoodMs: place.stoodMs,
      countedMs: clock.monotonicMs(),
      isCounting: false,
      cron: at === undefined ? undefined : cron({ schedule: at, timezone }, () => this.#look(name, true)),
      traffic: goesOn ? driven.traffic : undefined,
    });
    this.#saveTimer ??= clock.after(SAVE_MS, () => void this.#saveOften());
  }

  /** Let the time of a step go on, or stand still while nobody is there whom it sends clients to; count requests. */
  #count({ service, policy, place }: Current): void {
    const driven = this.#driven.get(service.name);
    if (driven === undefined) return;
    const { clock, tallies } = this.#options;
    driven.stoodMs = this.#stoodMs(service.name, driven.place);
    driven.countedMs = clock.monotonicMs();
    const isWatched = tallies !== undefined && place.step >= 0 && policy.guard?.errors !== undefined;
    driven.traffic = isWatched ? (driven.traffic ?? new TrafficCount(tallies)) : undefined;
    driven.traffic?.look(canaryMembers(policy, place.step, service.instances.values()), driven.countedMs);
    driven.isCounting =
      place.state === 'running' && canaryHealth(policy, place.step, service.instances.values()).answerable > 0;
  }

  #situation({ service, policy, place }: Current, isTime: boolean): Situation {
    const canary = canaryHealth(policy, place.step, service.instances.values());
    const driven = this.#driven.get(service.name);
    const isCounted = driven !== undefined && isSamePlace(driven.place, place);
    const traffic = isCounted ? driven.traffic?.sums(this.#options.clock.monotonicMs()) : undefined;
    return { stoodMs: this.#stoodMs(service.name, place), isTime, canary, traffic };
  }

  #stoodMs(name: string, place: Rollout): number {
    const driven = this.#driven.get(name);
    if (driven === undefined || !isSamePlace(driven.place, place)) return place.stoodMs;
    return driven.stoodMs + (driven.isCounting ? this.#options.clock.monotonicMs() - driven.countedMs : 0);
  }

  #write(name: string, moveOf: ChooseMove): void {
    const written = this.#move(name, moveOf, STEPS).then(
      () => 0,
      (error: unknown) => {
        const isOther = error instanceof CodedError && error.code === 'not_elected';
        if (!isOther) {
          this.#options.log.warn({ service: name, reason: errorMessage(error) }, 'a rollout could not go on');
        }
        return RETRY_MS;
      },
    );
    const settled = written.then((delayMs) => {
      this.#writing.delete(name);
      this.#lookIn(name, delayMs);
    });
    this.#writing.set(name, settled);
  }

  async #move(name: string, moveOf: ChooseMove, by: Author): Promise<void> {
    const { registry, clock, log } = this.#options;
    let moved: Move | undefined;
    const change = (service: ServiceState): Rollout | undefined => {
      const current = currentOf(service);
      moved = current === undefined ? undefined : moveOf(current);
      if (current === undefined || moved === undefined) return undefined;
      const { plan, step, sinceMs } = current.place;
      const stoodMs = moved.step === step ? this.#stoodMs(name, current.place) : 0;
      // Later than before, whatever the wall clock does: that is what tells places apart.
      return { plan, stoodMs, ...moved, sinceMs: Math.max(clock.wallMs(), sinceMs + 1) };
    };
    await registry.moveRollout(name, change, by);
    if (moved !== undefined) log.info({ service: name, state: moved.state, reason: moved.reason }, 'rollout');
  }

  async #saveOften(): Promise<void> {
    await this.#saveTimes();
    this.#saveTimer = undefined;
    if (this.#stopped || this.#driven.size === 0) return;
    this.#saveTimer = this.#options.clock.after(SAVE_MS, () => void this.#saveOften());
  }

  /** The same places, longer in force: nobody is told of that. */
  async #saveTimes(): Promise<void> {
    await Promise.all(Array.from(this.#driven, ([name, { place }]) => this.#saveTime(name, place)));
  }

  async #saveTime(name: string, place: Rollout): Promise<void> {
    if (place.state !== 'running' || !this.#isElected) return;
    const change = ({ rollout }: ServiceState): Rollout | undefined =>
      isSamePlace(rollout, place) ? { ...place, stoodMs: this.#stoodMs(name, place) } : undefined;
    try {
      await this.#options.registry.moveRollout(name, change, STEPS);
    } catch (error) {
      // The policy may have gone meanwhile, or another node do this.
      const isOver = error instanceof CodedError && ['unknown_rollout', 'not_elected'].includes(error.code);
      if (isOver) return;
      this.#options.log.warn(
        { service: name, reason: errorMessage(error) },
        'the time of a rollout could not be stored',
      );
    }
  }
}

function currentOf(service: ServiceState | undefined): Current | undefined {
  const policy = service?.policy;
  if (service === undefined || policy?.steps === undefined) return undefined;
  const { steps } = policy;
  return { service, policy: { ...policy, steps }, place: currentRollout({ ...policy, steps }, service.rollout) };
}
