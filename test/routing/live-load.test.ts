// live-load.test.ts -- requests under way, and the two averages of how long they took

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LiveLoad } from '../../src/routing/live-load.ts';

function sampled(...samples: readonly (readonly [latencyMs: number, nowMs: number, hasFailed?: boolean])[]): LiveLoad {
  const load = new LiveLoad();
  for (const each of samples) load.sample(...each);
  return load;
}

function close(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-6, `${actual}, not ${expected}`);
}

describe('live load', () => {
  it('counts requests that have begun and not ended', () => {
    const load = new LiveLoad();
    load.begin();
    load.begin();
    load.end();
    assert.equal(load.inFlight, 1);
  });

  it('knows no latency before the first sample', () => {
    const load = new LiveLoad();
    assert.deepEqual([load.isSampled, load.latency], [false, undefined]);
    load.sample(0, 5);
    assert.deepEqual([load.isSampled, load.latency], [true, { valueMs: 0, atMs: 5 }]);
  });

  it('has peaks at once, which go half the way in three seconds', () => {
    const load = sampled([20, 0], [100, 10]);
    assert.equal(load.peakMs, 100);
    load.sample(20, 3010);
    close(load.peakMs, 60);
    assert.deepEqual(load.latency, { valueMs: load.peakMs, atMs: 3010 });
  });

  it('has a mean of many frequent samples', () => {
    const load = sampled([10, 0]);
    for (let ms = 1; ms <= 1000; ms++) load.sample(ms % 2 === 0 ? 5 : 15, ms);
    assert.ok(load.meanMs > 9 && load.meanMs < 11, String(load.meanMs));
  });

  it('comes half the way to a sample three seconds later', () => {
    close(sampled([100, 0], [20, 3000]).meanMs, 60);
    close(sampled([20, 0], [100, 6000]).meanMs, 80);
  });

  it('does not take those for fast that fail at once', () => {
    close(sampled([100, 0], [1, 3000, true]).meanMs, 100);
    close(sampled([100, 0], [200, 3000, true]).meanMs, 150);
    assert.equal(sampled([1, 0, true]).isSampled, false);
  });
});
