// random.test.ts -- the seeded stream repeats, and both streams stay in their ranges

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom, systemRandom } from '../../src/base/random.ts';

describe('seeded', () => {
  it('is the mulberry32 stream, the same on every machine', () => {
    const random = seededRandom(1);
    assert.deepEqual(
      Array.from({ length: 3 }, () => random.next() * 2 ** 32),
      [2693262067, 11749833, 2265367787],
    );
  });

  it('repeats for the same seed and differs for another', () => {
    const take = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 10 }, () => random.below(2 ** 31));
    };
    assert.deepEqual(take(7), take(7));
    assert.deepEqual(take(-1), take(0xffffffff));
    assert.notDeepEqual(take(7), take(8));
  });
});

for (const [name, random] of [
  ['system', systemRandom],
  ['seeded', seededRandom(42)],
] as const) {
  describe(name, () => {
    it('stays in its range', () => {
      for (let i = 0; i < 10_000; i++) {
        const float = random.next();
        assert.ok(float >= 0 && float < 1);
        for (const bound of [1, 2, 7, 2 ** 31]) {
          const integer = random.below(bound);
          assert.ok(Number.isInteger(integer) && integer >= 0 && integer < bound);
        }
      }
    });

    it('is even', () => {
      const counts = new Uint32Array(10);
      for (let i = 0; i < 100_000; i++) counts[random.below(10)]!++;
      // Ten standard deviations: 0.95 of 10,000 each.
      for (const count of counts) assert.ok(Math.abs(count - 10_000) < 950, String(counts));
    });
  });
}
