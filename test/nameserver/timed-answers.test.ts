// timed-answers.test.ts -- one call in so many is timed, and every call goes through unchanged

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { QueryCounters } from '../../src/nameserver/query-counters.ts';
import { TIMED_EVERY, timedAnswers } from '../../src/nameserver/timed-answers.ts';

it('notes how long one answer in so many took', () => {
  let nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const counters = new QueryCounters();
  const out = new Uint8Array(4);
  const answer = timedAnswers(
    (first: string, second: number, to, last: string) => {
      nowMs += 2;
      assert.equal(last, 'last');
      to[0] = second;
      return first.length;
    },
    counters,
    clock,
  );
  const lengths = Array.from({ length: TIMED_EVERY * 3 + 1 }, (_, i) => answer('four', i & 0xff, out, 'last'));
  assert.deepEqual(new Set(lengths), new Set([4]));
  assert.equal(out[0], (TIMED_EVERY * 3) & 0xff);
  assert.equal(
    counters.durations.reduce((sum, count) => sum + count, 0),
    3,
  );
  assert.equal(counters.durationSumMs, 6);
});
