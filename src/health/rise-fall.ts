// rise-fall.ts -- how a row of results becomes an outcome: damping as a pure step
//
// There are two lines an outcome can cross: "warning or worse" and "critical". Each line is crossed for the worse
// after `fall` consecutive results beyond it, and for the better after `rise` consecutive results on the good side of
// it. A result on the side where the outcome already is resets that line's count. For a check that only knows passing
// and critical this is plain rise and fall; for one that mixes warning and critical it means
//   - `fall` results in a row that are warning or critical end `passing`, even when they take turns;
//   - only `fall` critical results in a row make it critical;
//   - `rise` results in a row that are passing or warning end `critical`, and only `rise` passing ones reach `passing`.
// The critical line can never be crossed before the warning line, so the two always make one of three outcomes.

import { OUTCOMES, type Outcome } from './check-spec.ts';

/** How many consecutive results it takes; both are integers >= 1. */
export interface Thresholds {
  readonly rise: number;
  readonly fall: number;
}

/** Where one check stands between two results. */
export interface RiseFallState {
  /** What the check counts as; undefined until the first result. */
  readonly outcome: Outcome | undefined;
  /** True while the next result decides at once: nothing is known yet, or only what an earlier run had stored. */
  readonly nextDecides: boolean;
  /** Consecutive results on the other side of the "warning or worse" line than `outcome`. */
  readonly acrossWarning: number;
  /** Consecutive results on the other side of the "critical" line than `outcome`. */
  readonly acrossCritical: number;
}

/** A check that has had no result. With `initial` it starts from that outcome, and rise and fall apply from there. */
export function freshState(initial?: Outcome): RiseFallState {
  return { outcome: initial, nextDecides: initial === undefined, acrossWarning: 0, acrossCritical: 0 };
}

/** A check whose outcome is known from before a restart: it holds until the first result, which then decides. */
export function restoredState(outcome: Outcome): RiseFallState {
  return { outcome, nextDecides: true, acrossWarning: 0, acrossCritical: 0 };
}

/** The state after one more result. */
export function step(state: RiseFallState, result: Outcome, thresholds: Thresholds): RiseFallState {
  if (state.nextDecides || state.outcome === undefined) return freshState(result);
  const warning = crossing(state.outcome, result, WARNING, state.acrossWarning, thresholds);
  const critical = crossing(state.outcome, result, CRITICAL, state.acrossCritical, thresholds);
  return {
    outcome: critical.beyond ? 'critical' : warning.beyond ? 'warning' : 'passing',
    nextDecides: false,
    acrossWarning: warning.count,
    acrossCritical: critical.count,
  };
}

/** Has it had critical results, but not `fall` of them yet? */
export function isFalling(state: RiseFallState): boolean {
  return state.outcome !== undefined && state.outcome !== 'critical' && state.acrossCritical > 0;
}

const WARNING = OUTCOMES.indexOf('warning');
const CRITICAL = OUTCOMES.indexOf('critical');

interface Crossing {
  /** Is the outcome at or beyond the line now? */
  readonly beyond: boolean;
  readonly count: number;
}

function crossing(from: Outcome, result: Outcome, line: number, count: number, thresholds: Thresholds): Crossing {
  const wasBeyond = OUTCOMES.indexOf(from) >= line;
  const isBeyond = OUTCOMES.indexOf(result) >= line;
  if (wasBeyond === isBeyond) return { beyond: wasBeyond, count: 0 };
  const needed = isBeyond ? thresholds.fall : thresholds.rise;
  return count + 1 >= needed ? { beyond: isBeyond, count: 0 } : { beyond: wasBeyond, count: count + 1 };
}
