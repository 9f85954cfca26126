// tiered.test.ts -- one tier behind the other, with any strategy

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Candidate } from '../../src/balance/plan.ts';
import { planOf, STRATEGIES } from '../../src/balance/strategies.ts';
import { tiered } from '../../src/balance/tiered.ts';
import { seededRandom } from '../../src/base/random.ts';
import { drawOnce, testStrategy } from '../conformance/strategies.ts';

const NAMES = Object.keys(STRATEGIES) as (keyof typeof STRATEGIES)[];

/** Candidates of these tiers, by turns of weight 1, 2 and 3. */
function inTiers(...tiers: number[]): Candidate[] {
  return tiers.map((tier, i) => ({ key: `10.0.${tier}.${i}`, weight: 1 + (i % 3), tier }));
}

for (const name of NAMES) {
  testStrategy(
    `${name} in tiers`,
    // Every other tier is left out, as it is where nobody in it can answer.
    (all, purpose) =>
      planOf(
        { strategy: name },
        all.map((each, i) => ({ ...each, tier: (i % 3) * 2 })),
        purpose,
      ),
    { isFixed: true },
  );
}

describe('tiers', () => {
  for (const name of NAMES) {
    it(`are drawn one after the other, and have SRV priorities in order, with ${name}`, () => {
      const tiers = [1, 0, 2, 1, 0, 2, 0, 1];
      for (const limit of [2, 5, 8]) {
        const plan = planOf({ strategy: name }, inTiers(...tiers), { limit });
        for (let turn = 0; turn < 30; turn++) {
          const drawn = drawOnce(plan, limit, turn, seededRandom(turn)).map((index) => tiers[index]!);
          assert.deepEqual(drawn, tiers.toSorted().slice(0, limit));
        }
        for (const [i, tier] of tiers.entries()) {
          for (const [k, other] of tiers.entries()) {
            if (tier < other) assert.ok(plan.srvPriorities[i]! < plan.srvPriorities[k]!, `${plan.srvPriorities}`);
          }
        }
      }
    });
  }

  it('are the SRV priorities themselves, and in front of the ranks of failover', () => {
    assert.deepEqual(planOf({}, inTiers(0, 1, 2, 0)).srvPriorities, [0, 1, 2, 0]);
    assert.deepEqual(planOf({ strategy: 'hash' }, inTiers(3, 3)).srvPriorities, [3, 3]);
    assert.deepEqual(planOf({ strategy: 'failover' }, inTiers(0, 0, 0, 1, 1)).srvPriorities, [2, 1, 0, 4, 3]);
  });

  it('do not stand in the way of a rotation where there is one', () => {
    assert.equal(planOf({}, inTiers(0, 0, 0)).isRotation, true);
    assert.equal(planOf({}, inTiers(0, 1)).isRotation, false);
  });

  it('leave weight 0 behind all of them, also where a tier has nobody else', () => {
    const candidates = [
      { key: 'a', weight: 0, tier: 0 },
      { key: 'b', weight: 1, tier: 1 },
      { key: 'c', weight: 1, tier: 2 },
    ];
    const plan = planOf({}, candidates);
    assert.deepEqual(drawOnce(plan, 3, 0, seededRandom(1)), [1, 2, 0]);
    assert.deepEqual(plan.srvPriorities, [3, 1, 2]);
    assert.deepEqual(plan.srvWeights, [0, 1, 1]);
  });

  it('hold also where everybody has weight 0', () => {
    const plan = planOf(
      {},
      [2, 0, 1].map((tier) => ({ key: `${tier}`, weight: 0, tier })),
    );
    assert.deepEqual(drawOnce(plan, 3, 0, seededRandom(1)), [1, 2, 0]);
    assert.deepEqual(plan.srvPriorities, [2, 0, 1]);
  });

  it('have the room that the tiers before them leave', () => {
    const limits: (number | undefined)[] = [];
    const spy = tiered((candidates, purpose) => {
      limits.push(purpose?.limit);
      return STRATEGIES.weighted(candidates, purpose);
    });
    spy(inTiers(0, 0, 0, 1, 1, 1, 1), { limit: 5 });
    assert.deepEqual(limits, [5, 2]);
  });
});
