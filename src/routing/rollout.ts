// rollout.ts -- the progressive canary: when the steps of a policy go on, and when they are taken back
//
// A pure state machine. It is told how long a step has been in force, whether the time of the next one has come, and how
// the canary is; it reads no clock. wiring/rollouts.ts drives it and stores where it stands.

import { createHash } from 'node:crypto';
import { formatDuration } from '../base/duration.ts';
import { CodedError } from '../base/errors.ts';
import { isAnswerable } from '../registry/instance.ts';
import type { AnsweringService, Member } from '../registry/member.ts';
import type { Policy, Route } from '../registry/policy.ts';
import type { Rollout, RolloutGuard, RolloutStep } from '../registry/rollout.ts';
import { matchText } from '../registry/validate-match.ts';
import { isMatch } from './match.ts';

/** Share of failing instances at which a rollout is taken back when the policy does not say. */
const DEFAULT_FAILING = 0.2;
/** Requests that an error share is of at least, when the policy does not say. */
const DEFAULT_MIN_REQUESTS = 100;
const NO_CANARY = 'no canary instance is answerable';

/** Where a rollout goes; what is left to add is when. `stoodMs`: the time of the step, where it does not just go on. */
export type Move = Pick<Rollout, 'state' | 'step' | 'percent' | 'reason'> & Partial<Pick<Rollout, 'stoodMs'>>;

/** What people may do with a rollout. */
export const ROLLOUT_ACTIONS = ['pause', 'resume', 'restart', 'rollback'] as const;
export type RolloutAction = (typeof ROLLOUT_ACTIONS)[number];

/** A rollout as it is now, for people. */
export interface RolloutView extends Rollout {
  /** How many steps there are. */
  readonly steps: number;
  /** What it waits for; undefined: it is over. */
  readonly waiting: string | undefined;
}

/** A policy with steps. */
type Stepped = Policy & Required<Pick<Policy, 'steps'>>;

/** What decides whether a rollout goes on. */
export interface Situation {
  /** How long the step has been in force, with a canary that is answerable. */
  readonly stoodMs: number;
  /** This is a time of the next step's `at`. */
  readonly isTime: boolean;
  readonly canary: CanaryHealth;
  /** Undefined: nobody counts requests. */
  readonly traffic?: CanaryTraffic | undefined;
}

/** Requests, and those of them that failed. */
export interface Tally {
  readonly requests: number;
  readonly errors: number;
}

/** Requests to the instances behind a step's route. */
export interface CanaryTraffic {
  /** Since the step began. */
  readonly whole: Tally;
  /** A short while back, so that what goes wrong late is seen soon. */
  readonly late: Tally;
}

/** How the instances behind a step's route are. Pending, draining and those in maintenance do not count. */
export interface CanaryHealth {
  readonly answerable: number;
  /** Of these, how many have a check that is failing, though not yet often enough. */
  readonly suspected: number;
  readonly unhealthy: number;
}

/** The routes of a service with the percents that its rollout gives them. */
export function routesInForce({ policy, rollout }: Pick<AnsweringService, 'policy' | 'rollout'>): readonly Route[] {
  const { routes = [], steps } = policy ?? {};
  if (steps === undefined) return routes;
  const current = currentRollout({ routes, steps }, rollout);
  return routes.map((route, index) => {
    const percent = percentOf(steps, current, index);
    return percent === undefined ? route : { ...route, percent };
  });
}

/** Where the steps of a policy stand: as stored, or at the beginning when that is of other steps. */
export function currentRollout({ steps, routes = [] }: Stepped, stored: Rollout | undefined): Rollout {
  const plan = planOf(steps, routes);
  return stored?.plan === plan ? stored : { plan, ...firstMove(steps), sinceMs: 0, stoodMs: 0 };
}

/** Where steps begin: at the first, unless that waits for a time of its own. */
export function firstMove(steps: readonly RolloutStep[]): Move {
  if (steps[0]!.at === undefined) return moveTo(steps, 0);
  return { state: 'running', step: -1, percent: 0, reason: `waits for the time of step 1: ${steps[0]!.at}` };
}

/**
 * Where somebody's wish takes a rollout; undefined: it is there. `toStep`: index of the step that `restart` begins with
 * at once; undefined: from the beginning. Throws CodedError `rollout_over`, `invalid` for a step that there is not.
 */
export function moveByHand(
  steps: readonly RolloutStep[],
  { state, step, percent }: Rollout,
  action: RolloutAction,
  toStep?: number,
): Move | undefined {
  switch (action) {
    case 'restart':
      return { ...(toStep === undefined ? firstMove(steps) : moveTo(steps, existingStep(steps, toStep))), stoodMs: 0 };
    case 'rollback':
      return state === 'rolled-back' ? undefined : moveBack(step, 'rolled back by hand');
    default: {
      if (state === 'done' || state === 'rolled-back') {
        throw new CodedError('rollout_over', `the rollout is ${state}: it can only be restarted`);
      }
      const wanted = action === 'pause' ? 'paused' : 'running';
      return state === wanted ? undefined : { state: wanted, step, percent, reason: `${action}d by hand` };
    }
  }
}

/** Where a rollout goes from here now; undefined: it stays. */
export function nextMove(
  steps: readonly RolloutStep[],
  guard: RolloutGuard | undefined,
  rollout: Pick<Rollout, 'state' | 'step'>,
  situation: Situation,
): Move | undefined {
  const { state, step } = rollout;
  if (state !== 'running' && state !== 'paused') return undefined;
  const { canary } = situation;
  const mark = guard?.failing ?? DEFAULT_FAILING;
  // Before the first step nobody is sent to the canary, so nothing is to be taken back.
  if (step >= 0 && isReached(canary.unhealthy, canary, mark)) {
    const counted = canary.answerable + canary.unhealthy;
    return moveBack(step, `${canary.unhealthy} of ${counted} canary instances fail, at step ${step + 1}`);
  }
  const bad = step >= 0 ? tooManyErrors(guard, situation.traffic) : undefined;
  if (bad !== undefined) {
    return moveBack(step, `${bad.errors} of ${bad.requests} requests to the canary failed, at step ${step + 1}`);
  }
  if (whyWaiting(steps, guard, rollout, situation) !== undefined) return undefined;
  if (step < steps.length - 1) return moveTo(steps, step + 1);
  return { state: 'done', step, percent: steps[step]!.percent, reason: 'all steps are done' };
}

/** What a rollout waits for, for people; undefined: nothing, or it is over. */
export function whyWaiting(
  steps: readonly RolloutStep[],
  guard: RolloutGuard | undefined,
  { state, step }: Pick<Rollout, 'state' | 'step'>,
  { stoodMs, isTime, canary }: Situation,
): string | undefined {
  if (state === 'paused') return 'paused';
  if (state !== 'running') return undefined;
  const leftMs = (steps[step]?.forMs ?? 0) - stoodMs;
  // Whole seconds, but for the last one.
  const unitMs = leftMs > 1000 ? 1000 : 1;
  // The time of the step stands still meanwhile.
  if (leftMs > 0 && canary.answerable === 0) return NO_CANARY;
  if (leftMs > 0) return `${formatDuration(Math.ceil(leftMs / unitMs) * unitMs)} more at this step`;
  const { at } = steps[step + 1] ?? {};
  if (at !== undefined && !isTime) return `the time of step ${step + 2}: ${at}`;
  if (canary.answerable === 0) return NO_CANARY;
  const mark = guard?.failing ?? DEFAULT_FAILING;
  if (isReached(canary.unhealthy + canary.suspected, canary, mark)) return 'canary instances fail';
  return undefined;
}

/** How the instances are that a step, or the one to come, sends clients to. */
export function canaryHealth(policy: Policy, step: number, members: Iterable<Member>): CanaryHealth {
  const health = { answerable: 0, suspected: 0, unhealthy: 0 };
  for (const { status, isFailing } of canaryMembers(policy, step, members)) {
    if (status === 'unhealthy') health.unhealthy++;
    if (!isAnswerable(status)) continue;
    health.answerable++;
    if (isFailing) health.suspected++;
  }
  return health;
}

/** The instances that a step, or the one to come, sends clients to. */
export function* canaryMembers<T extends Member>(policy: Policy, step: number, members: Iterable<T>): Iterable<T> {
  const { route = 0 } = policy.steps?.[Math.max(0, step)] ?? {};
  const { match } = policy.routes?.[route] ?? {};
  if (match === undefined) return;
  for (const member of members) if (isMatch(match, member.instance)) yield member;
}

/** A mark of 0 is reached by the first that fails, not by none. */
function isReached(failing: number, { answerable, unhealthy }: CanaryHealth, mark: number): boolean {
  return failing > 0 && failing / (answerable + unhealthy) >= mark;
}

/** Of the whole step or of late, whichever is too bad. */
function tooManyErrors(guard: RolloutGuard | undefined, traffic: CanaryTraffic | undefined): Tally | undefined {
  const { errors: mark, minRequests = DEFAULT_MIN_REQUESTS } = guard ?? {};
  if (mark === undefined || traffic === undefined) return undefined;
  return [traffic.whole, traffic.late].find(
    ({ requests, errors }) => requests >= minRequests && errors > 0 && errors / requests >= mark,
  );
}

function existingStep({ length }: readonly RolloutStep[], step: number): number {
  if (step < length) return step;
  const message = `there ${length === 1 ? 'is one step' : `are ${length} steps`}`;
  throw new CodedError('invalid', `step ${step + 1}: ${message}`, [{ path: 'step', message }]);
}

/** Nothing goes to the routes of the steps any more. */
function moveBack(step: number, reason: string): Move {
  return { state: 'rolled-back', step, percent: 0, reason };
}

function moveTo(steps: readonly RolloutStep[], step: number): Move {
  const { percent, forMs } = steps[step]!;
  // Without a time of its own the last step is not watched: it is the end.
  const isLast = step === steps.length - 1 && forMs === undefined;
  return {
    state: isLast ? 'done' : 'running',
    step,
    percent,
    reason: `step ${step + 1} of ${steps.length}: ${percent} %`,
  };
}

/** What the steps so far give a route: the last word on it; nothing before there was one. Undefined: they never name it. */
function percentOf(steps: readonly RolloutStep[], { state, step }: Rollout, route: number): number | undefined {
  if (!steps.some((each) => each.route === route)) return undefined;
  if (state === 'rolled-back') return 0;
  return steps.slice(0, step + 1).findLast((each) => each.route === route)?.percent ?? 0;
}

/** With whom the steps mean: another canary in the same steps begins anew. */
function planOf(steps: readonly RolloutStep[], routes: readonly Route[]): string {
  const meant = [...new Set(steps.map(({ route }) => route))].map((route) => matchText(routes[route]?.match ?? {}));
  return createHash('sha256')
    .update(JSON.stringify([steps, meant]))
    .digest('base64url');
}
