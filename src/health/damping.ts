// damping.ts -- flap damping: a check that keeps falling is held out until it has been calm (after RFC 2439)
//
// Every fall to critical costs a penalty that fades with a half-life. At `suppress` and above the check is held
// critical; below `reuse` it is let go. `max` bounds the penalty, and with it how long a hold can last after the last
// fall: halfLife x log2(max / reuse).

/** The settings; 0 < reuse < suppress <= max. */
export interface DampingSettings {
  /** What one fall costs; 0 switches damping off. */
  readonly penalty: number;
  /** Time in which a penalty fades to its half; > 0. */
  readonly halfLifeMs: number;
  readonly suppress: number;
  readonly reuse: number;
  readonly max: number;
}

/**
 * Ten falls in quick succession, or about fourteen at the pace of the default interval: a service that is stopped and
 * started a few times never comes near it. Five calm minutes end a hold, ten at the very most.
 */
export const DEFAULT_DAMPING: DampingSettings = { penalty: 1, halfLifeMs: 300_000, suppress: 10, reuse: 5, max: 20 };

/** Where one check stands. */
export interface DampingState {
  readonly penalty: number;
  /** When `penalty` was true, in monotonic milliseconds. */
  readonly atMs: number;
  readonly isSuppressed: boolean;
}

/** A check that never fell. */
export const UNDAMPED: DampingState = Object.freeze({ penalty: 0, atMs: 0, isSuppressed: false });

/** Less than this is nothing. */
const NEGLIGIBLE = 0.01;

/** The state at `nowMs`, after a result that made the check critical (`fell`) or did not. */
export function damp(state: DampingState, fell: boolean, nowMs: number, settings: DampingSettings): DampingState {
  if (settings.penalty === 0) return UNDAMPED;
  const faded = penaltyAt(state, nowMs, settings);
  const penalty = fell ? Math.min(settings.max, faded + settings.penalty) : faded;
  const isSuppressed = state.isSuppressed ? penalty >= settings.reuse : penalty >= settings.suppress;
  if (penalty < NEGLIGIBLE && !isSuppressed) return UNDAMPED;
  return { penalty, atMs: nowMs, isSuppressed };
}

/** What is left of the penalty at `nowMs`. */
export function penaltyAt({ penalty, atMs }: DampingState, nowMs: number, settings: DampingSettings): number {
  if (penalty === 0) return 0;
  return penalty * 0.5 ** (Math.max(0, nowMs - atMs) / settings.halfLifeMs);
}

/** How long from the state's own moment a suppressed check is still held, if it falls no more; 0 when it is not held. */
export function heldForMs({ penalty, isSuppressed }: DampingState, settings: DampingSettings): number {
  if (!isSuppressed || penalty < settings.reuse) return 0;
  return settings.halfLifeMs * Math.log2(penalty / settings.reuse);
}
