// one-subnet.test.ts -- addresses of an answer are of one subnet, with any strategy

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { oneSubnet } from '../../src/balance/one-subnet.ts';
import type { Candidate, Strategy } from '../../src/balance/plan.ts';
import { roundRobin } from '../../src/balance/round-robin.ts';
import { planOf, STRATEGIES } from '../../src/balance/strategies.ts';
import { parseIp } from '../../src/base/ip.ts';
import { seededRandom } from '../../src/base/random.ts';
import { candidatesOf, drawOnce, drawState, firstPlaces } from '../conformance/strategies.ts';

const NAMES = Object.keys(STRATEGIES) as (keyof typeof STRATEGIES)[];

function at(address: string, weight = 1): Candidate {
  return { key: address, weight, address: parseIp(address)!.bytes };
}

const MIXED = [
  at('10.0.1.1', 3),
  at('10.0.2.1', 2),
  at('10.0.1.2', 1),
  at('10.0.2.2', 4),
  at('10.0.2.3', 0),
  at('10.0.3.1', 5),
  at('2001:db8:0:1::1', 2),
  at('2001:db8:0:1::2', 1),
  at('2001:db8:0:2::1', 2),
];

function subnetOf(index: number): string {
  return MIXED[index]!.key.replace(/(\.|::)\d+$/, '');
}

describe('one subnet to an answer', () => {
  for (const name of NAMES) {
    const plan = planOf({ strategy: name, oneSubnetPerAnswer: true }, MIXED, { limit: 3 });

    it(`holds with ${name}`, () => {
      for (let turn = 0; turn < 300; turn++) {
        for (const limit of [1, 2, 8]) {
          const drawn = drawOnce(plan, limit, turn, seededRandom(turn));
          assert.equal(new Set(drawn).size, drawn.length);
          assert.equal(new Set(drawn.map(subnetOf)).size, 1);
          const all = MIXED.filter((_, index) => subnetOf(index) === subnetOf(drawn[0]!)).length;
          assert.equal(drawn.length, Math.min(limit, all));
          assert.ok(MIXED[drawn[0]!]!.weight > 0, 'weight 0 is not first');
        }
      }
    });

    it(`leaves the shares of ${name} as they are`, () => {
      const draws = 30_000;
      const mixed = firstPlaces(planOf({ strategy: name }, MIXED, { limit: 3 }), 3, draws);
      const apart = firstPlaces(plan, 3, draws);
      const worst = Math.max(...apart.map((count, i) => Math.abs(count - mixed[i]!) / draws));
      assert.ok(worst < 0.02, `${apart} instead of ${mixed}`);
    });
  }

  it('keeps a client of subset in one subnet', () => {
    const plan = planOf({ strategy: 'subset', oneSubnetPerAnswer: true }, MIXED, { limit: 2 });
    for (let client = 0; client < 20; client++) {
      const random = seededRandom(client);
      const seen = new Set(Array.from({ length: 40 }, (_, turn) => drawOnce(plan, 2, turn, random, client)).flat());
      assert.equal(new Set([...seen].map(subnetOf)).size, 1);
      assert.ok(seen.size <= 2, `${[...seen]}`);
    }
  });

  it('does not concern what has no addresses, and keeps a rotation where there is one subnet', () => {
    const drawn = drawOnce(planOf({ oneSubnetPerAnswer: true }, candidatesOf(1, 1, 1)), 3, 0, seededRandom(1));
    assert.equal(drawn.length, 3);
    const near = [at('10.0.1.1'), at('10.0.1.2')];
    assert.equal(planOf({ oneSubnetPerAnswer: true }, near).isRotation, true);
    assert.deepEqual(planOf({ oneSubnetPerAnswer: true }, []).srvWeights, []);
  });

  it('names the questions of a subnet alike whichever others there are, for strategies that learn', () => {
    const questionsOf = (...candidates: Candidate[]): Map<string, string> => {
      const questions = new Map<string, string>();
      const spy: Strategy = (part, purpose) => {
        if (part.length < candidates.length) questions.set(part.map(({ key }) => key).join(), purpose!.question!);
        return roundRobin(part);
      };
      const plan = oneSubnet(spy)(candidates, { limit: 2, question: 'web' });
      for (let turn = 0; turn < 8; turn++) drawOnce(plan, 2, turn, seededRandom(1));
      return questions;
    };
    const kept = [at('10.0.5.1'), at('10.0.9.1')];
    const before = questionsOf(at('10.0.1.1'), ...kept);
    assert.equal(new Set(before.values()).size, 3);
    for (const [members, question] of questionsOf(...kept)) assert.equal(before.get(members), question);
  });

  it('is within the active tier alone', () => {
    const tiers = MIXED.map((each, i) => ({ ...each, tier: i === 5 ? 0 : 1 }));
    const plan = planOf({ oneSubnetPerAnswer: true }, tiers, { limit: 1 });
    const order = new Uint16Array(1);
    assert.equal(plan.draw(1, drawState(seededRandom(1)), order), 1);
    assert.equal(order[0], 5);
  });
});
