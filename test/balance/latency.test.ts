// latency.test.ts -- more answers for those that answer sooner

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { latency } from '../../src/balance/latency.ts';
import { firstPlaces, testStrategy } from '../conformance/strategies.ts';

testStrategy('latency', latency);

/** Shares of first places, in percent. */
function sharesOf(times: readonly (number | undefined)[], weights: readonly number[] = times.map(() => 1)): number[] {
  const candidates = times.map((latencyMs, i) => ({ key: String(i), weight: weights[i]!, latencyMs }));
  return firstPlaces(latency(candidates), 1, 100_000).map((count) => Math.round(count / 1000));
}

describe('latency', () => {
  it('makes no difference within a fifth of the best, nor within a millisecond', () => {
    assert.deepEqual(sharesOf([100, 119, 105, 100]), [25, 25, 25, 25]);
    assert.deepEqual(sharesOf([0.1, 0.9, 0.4, 1]), [25, 25, 25, 25]);
  });

  it('gives slower ones less, with the square, and at least a fiftieth of their due', () => {
    assert.deepEqual(sharesOf([100, 240]), [80, 20]);
    assert.deepEqual(sharesOf([100, 100, 360]), [47, 47, 5]);
    assert.deepEqual(sharesOf([10, 100_000]), [98, 2]);
    const counts = firstPlaces(
      latency([10, 60_000].map((latencyMs, i) => ({ key: `${i}`, weight: 1, latencyMs }))),
      1,
      1e5,
    );
    assert.ok(counts[1]! >= 0.02 * 50_000 * 0.99, `${counts}`);
  });

  it('takes those that are not known for as fast as the others on average', () => {
    assert.deepEqual(sharesOf([undefined, undefined, undefined, undefined]), [25, 25, 25, 25]);
    // Factors 1 and 1/4: on average 5/8.
    assert.deepEqual(sharesOf([100, 240, undefined]), [53, 13, 33]);
  });

  it('goes by weight among those as fast', () => {
    assert.deepEqual(sharesOf([100, 100, 100], [1, 3, 6]), [10, 30, 60]);
  });

  it('does not look at those of weight 0', () => {
    assert.deepEqual(sharesOf([1, 100, 100], [0, 1, 1]), [0, 50, 50]);
  });

  it('tells SRV clients the same', () => {
    const plan = latency([100, 240].map((latencyMs, i) => ({ key: String(i), weight: 1, latencyMs })));
    assert.deepEqual(plan.srvWeights, [10_000, 2500]);
  });
});
