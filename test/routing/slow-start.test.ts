// slow-start.test.ts -- the weight of instances that warm up

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { COLD, nextWarmthMs, warmthAt, warmupMs } from '../../src/routing/slow-start.ts';

describe('slow start', () => {
  const cases: [elapsedMs: number, warmth: number, nextMs: number | undefined][] = [
    [0, 0.1, 1000],
    [999, 0.1, 1000],
    [1000, 0.2, 2000],
    [4500, 0.5, 5000],
    [8000, 0.9, 9000],
    [8999, 0.9, 9000],
    [9000, 1, undefined],
    [90_000, 1, undefined],
  ];
  for (const [elapsedMs, warmth, nextMs] of cases) {
    it(`of 9 s gives ${warmth} after ${elapsedMs} ms`, () => {
      assert.equal(warmthAt(elapsedMs, 9000), warmth);
      assert.equal(nextWarmthMs(elapsedMs, 9000), nextMs);
    });
  }

  it('goes by what the instance says, then by the policy', () => {
    assert.equal(warmupMs({ warmupMs: 5 }, { slowStartMs: 9 }), 5);
    assert.equal(warmupMs({ warmupMs: 0 }, { slowStartMs: 9 }), 0);
    assert.equal(warmupMs({}, { slowStartMs: 9 }), 9);
    assert.equal(warmupMs({}, undefined), 0);
  });

  it('takes ten levels, each when it was said that it would come', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 86_400_000 }), (durationMs) => {
        const levels: number[] = [];
        let atMs: number | undefined = 0;
        while (atMs !== undefined) {
          levels.push(warmthAt(atMs, durationMs));
          atMs = nextWarmthMs(atMs, durationMs);
        }
        // The last moment it told of is the one at which it is warm.
        assert.deepEqual(levels, [COLD, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
      }),
    );
  });

  it('never falls', () => {
    const duration = fc.integer({ min: 0, max: 100_000 });
    const times = fc.tuple(fc.nat(200_000), fc.nat(200_000));
    fc.assert(
      fc.property(duration, times, (durationMs, [one, other]) => {
        const early = warmthAt(Math.min(one, other), durationMs);
        const late = warmthAt(Math.max(one, other), durationMs);
        assert.ok(early <= late && early >= COLD && late <= 1, `${early} then ${late}`);
      }),
    );
  });
});
