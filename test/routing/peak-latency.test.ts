// peak-latency.test.ts -- the peak-sensitive moving average of round trips

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type PeakLatency, withSample } from '../../src/routing/peak-latency.ts';

describe('peak latency', () => {
  it('begins with the first sample and rises to a higher one at once', () => {
    const first = withSample(undefined, 20, 0);
    assert.equal(first.valueMs, 20);
    assert.equal(withSample(first, 500, 1).valueMs, 500);
  });

  it('falls half the way in ten seconds', () => {
    const peak = withSample(undefined, 100, 0);
    assert.equal(withSample(peak, 20, 10_000).valueMs, 60);
    assert.equal(withSample(peak, 20, 20_000).valueMs, 40);
  });

  it('falls as far whether it is asked often or seldom', () => {
    let often = withSample(undefined, 100, 0);
    for (let ms = 100; ms <= 10_000; ms += 100) often = withSample(often, 0, ms);
    assert.ok(Math.abs(often.valueMs - 50) < 1e-6, String(often.valueMs));
  });

  it('stays between the lowest and the highest sample, and never below the last', () => {
    const samples = fc.array(fc.tuple(fc.nat(60_000), fc.nat(60_000)), { minLength: 1 });
    fc.assert(
      fc.property(samples, (steps) => {
        let now = 0;
        let state: PeakLatency | undefined;
        for (const [sample, gap] of steps) {
          now += gap;
          state = withSample(state, sample, now);
          assert.ok(state.valueMs >= sample, 'never below the last');
        }
        const values = steps.map(([sample]) => sample);
        assert.ok(state!.valueMs <= Math.max(...values) + 1e-6, 'never above the highest');
      }),
    );
  });
});
