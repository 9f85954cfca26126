// hash.test.ts -- the same candidate first for the same client, while it is there

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hash } from '../../src/balance/hash.ts';
import type { Candidate } from '../../src/balance/plan.ts';
import { seededRandom } from '../../src/base/random.ts';
import {
  addressCandidates,
  candidatesOf,
  chiSquareDeviation,
  drawOnce,
  drawState,
  firstPlaces,
  LIKELY,
  testStrategy,
} from '../conformance/strategies.ts';
import { testMarks } from '../conformance/strategy-marks.ts';

testStrategy('hash', hash);
testMarks('hash', hash, { isChance: true, isSticky: true });

/** Who is first for each of `clients` clients. */
function firsts(candidates: readonly Candidate[], clients: number): string[] {
  const plan = hash(candidates, { limit: 8 });
  const order = new Uint16Array(8);
  const random = seededRandom(3);
  return Array.from({ length: clients }, (_, client) => {
    plan.draw(8, drawState(random, Math.imul(client, 0x9e3779b1) >>> 0), order);
    return candidates[order[0]!]!.key;
  });
}

describe('hash', () => {
  for (const count of [2, 3, 10, 31, 100]) {
    it(`shares ${count} of one weight evenly among random clients`, () => {
      const deviation = chiSquareDeviation(
        firstPlaces(hash(addressCandidates(count)), 1, 200_000, count),
        new Array(count).fill(1),
      );
      assert.ok(deviation < LIKELY, `${deviation}`);
    });
  }

  for (const weights of [[5, 3, 2], [1, 99], [0.5, 0.25, 2], Array.from({ length: 100 }, (_, i) => i + 1)]) {
    it(`shares ${weights.length} by weight, ${weights.slice(0, 3)} and so on`, () => {
      const deviation = chiSquareDeviation(firstPlaces(hash(candidatesOf(...weights)), 1, 200_000), weights);
      assert.ok(deviation < LIKELY, `${deviation}`);
    });
  }

  it('shares evenly also among neighbours: clients whose hashes count up', () => {
    const plan = hash(addressCandidates(10));
    const counts = new Array<number>(10).fill(0);
    const order = new Uint16Array(10);
    for (let client = 0; client < 50_000; client++) {
      plan.draw(1, drawState(seededRandom(1), client), order);
      counts[order[0]!]!++;
    }
    assert.ok(chiSquareDeviation(counts, new Array(10).fill(1)) < LIKELY, `${counts}`);
  });

  for (const [count, weights] of [
    [3, 1],
    [10, 4],
    [100, 1],
    [500, 4],
  ] as const) {
    it(`moves only the clients of one that leaves ${count} of weight 1 to ${weights}`, () => {
      const all = addressCandidates(count, weights);
      const gone = all[count >> 1]!;
      const [before, after] = [firsts(all, 20_000), firsts(all.toSpliced(count >> 1, 1), 20_000)];
      const moved = before.filter((key, client) => key !== after[client]);
      assert.deepEqual(
        moved.filter((key) => key !== gone.key),
        [],
      );
      const share = gone.weight / all.reduce((sum, { weight }) => sum + weight, 0);
      assert.ok(moved.length > 0 && moved.length <= 1.5 * share * 20_000, `${moved.length}`);
    });
  }

  it('moves clients only to one that gets heavier', () => {
    const all = addressCandidates(10);
    const heavier = all.with(4, { ...all[4]!, weight: 2 });
    const [before, after] = [firsts(all, 20_000), firsts(heavier, 20_000)];
    const moved = after.filter((key, client) => key !== before[client]);
    assert.ok(moved.length > 0 && moved.every((key) => key === all[4]!.key), `${moved.length}`);
  });

  it('does not depend on the order of the candidates, nor on the plan that was asked before', () => {
    for (const count of [5, 300]) {
      const all = addressCandidates(count, 3);
      const expected = firsts(all, 2000);
      assert.deepEqual(firsts(all.toReversed(), 2000), expected);
      assert.deepEqual(firsts(all, 2000), expected);
    }
  });

  it('answers as nodes of any release do: these clients have these orders', () => {
    const plan = hash([1, 2, 3, 4, 5].map((last) => ({ key: `10.0.0.${last}`, weight: last })));
    const orders = [0, 1, 0xffffffff, 123_456_789].map((client) =>
      drawOnce(plan, 5, 0, seededRandom(1), client).join(''),
    );
    assert.deepEqual(orders, ['34021', '43210', '03421', '24013']);
  });

  it('gives shorter answers the beginning of longer ones', () => {
    const plan = hash(addressCandidates(40, 3), { limit: 3 });
    for (let client = 0; client < 50; client++) {
      const long = drawOnce(plan, 40, 0, seededRandom(1), client);
      assert.deepEqual(drawOnce(plan, 3, 0, seededRandom(1), client), long.slice(0, 3));
      assert.deepEqual(drawOnce(plan, 12, 0, seededRandom(1), client), long.slice(0, 12));
    }
  });
});
