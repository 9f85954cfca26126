// rollout-place.ts -- how far a progressive canary had come when it was exported, and what brings it there again

import { CodedError } from '../base/errors.ts';
import type { RolloutState } from '../registry/rollout.ts';
import type { RolloutAction } from '../routing/rollout.ts';

/** Where the steps of a policy are. */
export interface RolloutPlace {
  readonly state: RolloutState;
  /** From 1; 0: the first has not begun. */
  readonly step: number;
}

/** What to ask of `POST /v1/services/{service}/rollout`. */
export interface RolloutMove {
  readonly action: RolloutAction;
  readonly step?: number;
}

const STATES: readonly RolloutState[] = ['running', 'paused', 'rolled-back', 'done'];

/** A place in the line of an export; undefined when it has none. Throws CodedError `invalid`. */
export function readPlace(value: unknown, steps: number): RolloutPlace | undefined {
  if (value === undefined) return undefined;
  const { state, step } = (value ?? {}) as Partial<Record<keyof RolloutPlace, unknown>>;
  const known = STATES.find((each) => each === state);
  if (known === undefined) throw new CodedError('invalid', `rollout.state must be one of ${STATES.join(', ')}`);
  if (typeof step !== 'number' || !Number.isInteger(step) || step < 0 || step > steps) {
    throw new CodedError('invalid', `rollout.step must be a whole number from 0 to ${steps}`);
  }
  return { state: known, step };
}

/** What brings a rollout from a place to another, in this order; the time of the step it gets to begins anew. */
export function movesTo(wanted: RolloutPlace, present: RolloutPlace): readonly RolloutMove[] {
  const { state, step } = wanted;
  if (state === 'rolled-back') return present.state === state ? [] : [{ action: 'rollback' }];
  const isOver = present.state === 'rolled-back' || present.state === 'done';
  // The last step may still be watched before it is done: with that it is where it belongs.
  const isThere = present.step === step && (!isOver || present.state === state);
  const there: readonly RolloutMove[] = isThere ? [] : [{ action: 'restart', ...(step === 0 ? {} : { step }) }];
  const presentState = isThere ? present.state : 'running';
  if (state === 'paused' && presentState !== state) return [...there, { action: 'pause' }];
  if (state === 'running' && presentState === 'paused') return [...there, { action: 'resume' }];
  return there;
}
