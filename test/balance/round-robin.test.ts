// round-robin.test.ts -- exact turns, whatever the weights

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { roundRobin } from '../../src/balance/round-robin.ts';
import { seededRandom } from '../../src/base/random.ts';
import { candidatesOf, drawOnce, firstPlaces, testStrategy } from '../conformance/strategies.ts';

testStrategy('round-robin', roundRobin);

describe('round-robin', () => {
  const random = seededRandom(1);

  it('starts one further on each turn, and goes round', () => {
    const plan = roundRobin(candidatesOf(1, 9, 1, 1));
    const turns = [0, 1, 2, 3, 4].map((turn) => drawOnce(plan, 3, turn, random));
    assert.deepEqual(turns, [
      [0, 1, 2],
      [1, 2, 3],
      [2, 3, 0],
      [3, 0, 1],
      [0, 1, 2],
    ]);
  });

  it('is exact over any whole number of rounds, with any limit', () => {
    for (const limit of [1, 2, 5]) {
      assert.deepEqual(firstPlaces(roundRobin(candidatesOf(1, 2, 3, 4, 5)), limit, 100_000), new Array(5).fill(20_000));
    }
  });

  it('turns those of weight 0 among themselves, behind the others', () => {
    const plan = roundRobin(candidatesOf(0, 1, 0, 1));
    const turns = [0, 1, 2].map((turn) => drawOnce(plan, 4, turn, random));
    assert.deepEqual(turns, [
      [1, 3, 0, 2],
      [3, 1, 2, 0],
      [1, 3, 0, 2],
    ]);
  });

  it('puts 1 into SRV, 0 for those that stand by', () => {
    assert.deepEqual(roundRobin(candidatesOf(7, 0, 65535)).srvWeights, [1, 0, 1]);
  });
});
