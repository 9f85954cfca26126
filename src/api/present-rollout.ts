// present-rollout.ts -- progressive canaries as the API shows them: steps of a policy, and how far they have come

import { rfc3339 } from '../base/clock.ts';
import { formatDuration } from '../base/duration.ts';
import type { PastChange } from '../registry/change-history.ts';
import type { RolloutStep } from '../registry/rollout.ts';
import type { RolloutView } from '../routing/rollout.ts';

/** A step in the shape in which one is sent. */
export function presentStep({ route, percent, forMs, at, timezone }: RolloutStep) {
  return {
    route,
    percent,
    ...(forMs === undefined ? {} : { for: formatDuration(forMs) }),
    ...(at === undefined ? {} : { at }),
    ...(timezone === undefined ? {} : { timezone }),
  };
}

/** Where a rollout is now. Steps count from 1; 0: the first has not begun. */
export function presentRollout(view: RolloutView) {
  return {
    ...presentPlace(view),
    steps: view.steps,
    // Not stored yet: it has just begun.
    since: view.sinceMs === 0 ? null : rfc3339(view.sinceMs),
    stood: formatDuration(Math.floor(view.stoodMs / 1000) * 1000),
    waiting: view.waiting ?? null,
    reason: view.reason,
  };
}

/** Where one was, for history and events. */
export function presentPlace({ state, step, percent }: NonNullable<PastChange['rollout']>) {
  return { state, step: step + 1, percent };
}
