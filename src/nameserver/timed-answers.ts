// timed-answers.ts -- notes how long answers take, of a sample of them

import type { Clock } from '../base/clock.ts';
import type { QueryCounters } from './query-counters.ts';

/** One answer in so many is timed: reading the clock twice costs as much as a small answer. */
export const TIMED_EVERY = 64;

/** The same function, with the duration of one call in TIMED_EVERY noted in `counters`. */
export function timedAnswers<First, Second, Last>(
  answer: (first: First, second: Second, out: Uint8Array, last: Last) => number,
  counters: QueryCounters,
  clock: Clock,
): (first: First, second: Second, out: Uint8Array, last: Last) => number {
  let untilNext = TIMED_EVERY;
  // Parameters by name: a rest array would be made anew for every query.
  return (first, second, out, last) => {
    if (--untilNext > 0) return answer(first, second, out, last);
    untilNext = TIMED_EVERY;
    const startedMs = clock.monotonicMs();
    const length = answer(first, second, out, last);
    counters.took(clock.monotonicMs() - startedMs);
    return length;
  };
}
