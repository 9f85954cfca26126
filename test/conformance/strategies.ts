// strategies.ts -- what every balancing strategy must do

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Candidate, DrawState, Plan, Strategy } from '../../src/balance/plan.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';

/** Candidates `0`, `1`, ... of these weights. */
export function candidatesOf(...weights: number[]): Candidate[] {
  return weights.map((weight, index) => ({ key: String(index), weight }));
}

/** Instances as they lie in a network, of weights 1 to `weights`. */
export function addressCandidates(count: number, weights = 1): Candidate[] {
  return Array.from({ length: count }, (_, i) => ({ key: `10.7.${i >> 8}.${i & 255}`, weight: 1 + (i % weights) }));
}

/** What a draw goes by: chance by `random`, and a client, who is another one in every draw unless it is given. */
export function drawState(random: Random, client?: number): DrawState {
  return {
    turn: 0,
    random,
    get client() {
      return client ?? random.below(2 ** 31) * 2 + random.below(2);
    },
  };
}

/** The indexes of one draw. */
export function drawOnce(plan: Plan, limit: number, turn: number, random: Random, client?: number): number[] {
  // Larger than any draw, and full of what is no index: writing past the count is found out.
  const order = new Uint16Array(plan.size + 8).fill(0xffff);
  const count = plan.draw(limit, Object.assign(drawState(random, client ?? random.below(2 ** 31)), { turn }), order);
  assert.ok(
    order.slice(count).every((each) => each === 0xffff),
    'nothing is written behind the count',
  );
  return [...order.slice(0, count)];
}

/** How often each candidate came first in `draws` draws on consecutive turns, each by another client. */
export function firstPlaces(plan: Plan, limit: number, draws: number, seed = 1): number[] {
  return countPlaces(plan, limit, draws, seed).first;
}

/** How often each candidate came first, and how often it was in the answer at all. */
export function countPlaces(
  plan: Plan,
  limit: number,
  draws: number,
  seed = 1,
): { first: number[]; included: number[] } {
  const state = drawState(seededRandom(seed));
  const first = new Array<number>(plan.size).fill(0);
  const included = new Array<number>(plan.size).fill(0);
  const order = new Uint16Array(plan.size);
  for (let turn = 0; turn < draws; turn++) {
    state.turn = turn;
    const count = plan.draw(limit, state, order);
    assert.ok(count > 0, 'somebody is drawn');
    first[order[0]!]!++;
    for (let i = 0; i < count; i++) included[order[i]!]!++;
  }
  return { first, included };
}

/**
 * How likely counts are in a draw by `shares` that are worse, roughly: by the chi-square statistic, which for so many
 * degrees of freedom is nearly normal after Wilson and Hilferty. Above 3.09 it is less than 0.001.
 */
export function chiSquareDeviation(counts: readonly number[], shares: readonly number[]): number {
  const draws = counts.reduce((sum, count) => sum + count, 0);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const freedom = counts.length - 1;
  const statistic = counts.reduce((sum, count, index) => {
    const expected = (draws * shares[index]!) / total;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
  const spread = 2 / (9 * freedom);
  return (Math.cbrt(statistic / freedom) - (1 - spread)) / Math.sqrt(spread);
}

/** The deviation that chance exceeds once in a thousand times. */
export const LIKELY = 3.09;

/** A client that draws among the records of an answer by SRV priority and weight (RFC 2782): each one's chance. */
export function srvChances(plan: Plan, drawn: readonly number[]): number[] {
  const best = Math.min(...drawn.map((index) => plan.srvPriorities[index]!));
  const weights = drawn.map((index) => (plan.srvPriorities[index] === best ? plan.srvWeights[index]! : 0));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => (total === 0 ? 1 / drawn.length : weight / total));
}

const weights = fc.array(
  fc.oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 70_000 }),
    fc.constantFrom(0.5, 1 / 3, 7.25),
  ),
  { maxLength: 40 },
);

/** What strategies differ in. */
export interface StrategyTraits {
  /** The first place is always the same candidate's. */
  readonly isFixed?: boolean;
}

/** Register the suite for one strategy. */
export function testStrategy(name: string, strategy: Strategy, { isFixed = false }: StrategyTraits = {}): void {
  describe(`${name}: strategy conformance`, () => {
    it('draws distinct candidates, as many as asked and there are, from any turn on', () => {
      const limit = fc.integer({ min: 0, max: 60 });
      const turn = fc.integer({ min: 0, max: 2 ** 32 - 1 });
      fc.assert(
        fc.property(weights, limit, limit, turn, fc.integer(), (each, most, meant, from, seed) => {
          const plan = strategy(candidatesOf(...each), { limit: meant });
          assert.equal(plan.size, each.length);
          const random = seededRandom(seed);
          for (const offset of [0, 1, 2]) {
            const drawn = drawOnce(plan, most, (from + offset) >>> 0, random);
            assert.equal(drawn.length, Math.min(most, each.length));
            assert.equal(new Set(drawn).size, drawn.length);
            assert.ok(
              drawn.every((index) => index < each.length),
              `${drawn}`,
            );
          }
        }),
        { seed: 2782, numRuns: 500 },
      );
    });

    it('lists weight 0 last, so never first while another is there', () => {
      fc.assert(
        fc.property(weights, fc.nat(100_000), fc.integer(), (each, turn, seed) => {
          const drawn = drawOnce(strategy(candidatesOf(...each)), each.length, turn, seededRandom(seed));
          const firstZero = drawn.findIndex((index) => each[index] === 0);
          if (firstZero < 0) return;
          assert.ok(
            drawn.slice(firstZero).every((index) => each[index] === 0),
            `${drawn} of ${each}`,
          );
        }),
        { seed: 2052, numRuns: 500 },
      );
    });

    it('draws the same for the same turn, client and chance', () => {
      fc.assert(
        fc.property(weights, fc.nat(100_000), fc.integer(), (each, turn, seed) => {
          const [one, other] = [0, 1].map(() => strategy(candidatesOf(...each)));
          for (const limit of [1, 3, 40]) {
            const drawn = drawOnce(one!, limit, turn, seededRandom(seed), seed >>> 0);
            assert.deepEqual(drawOnce(other!, limit, turn, seededRandom(seed), seed >>> 0), drawn);
          }
        }),
        { seed: 1035, numRuns: 200 },
      );
    });

    it('has an SRV weight for each candidate: 0..65535, and 0 exactly for weight 0', () => {
      fc.assert(
        fc.property(weights, fc.integer({ min: 1, max: 60 }), (each, limit) => {
          const { srvWeights } = strategy(candidatesOf(...each), { limit });
          assert.equal(srvWeights.length, each.length);
          for (const [index, weight] of srvWeights.entries()) {
            assert.ok(Number.isInteger(weight) && weight >= 0 && weight <= 65535, `${weight}`);
            assert.equal(weight === 0, each[index] === 0);
          }
        }),
        { seed: 16, numRuns: 500 },
      );
    });

    it('has an SRV priority for each candidate, those of weight 0 not before others', () => {
      fc.assert(
        fc.property(weights, (each) => {
          const { srvPriorities } = strategy(candidatesOf(...each));
          assert.equal(srvPriorities.length, each.length);
          const of = (isZero: boolean) => srvPriorities.filter((_, index) => (each[index] === 0) === isZero);
          assert.ok(
            srvPriorities.every((each) => Number.isInteger(each) && each >= 0 && each <= 65535),
            `${srvPriorities}`,
          );
          if (of(true).length > 0 && of(false).length > 0) {
            assert.ok(Math.min(...of(true)) >= Math.max(...of(false)), `${srvPriorities} of ${each}`);
          }
        }),
        { seed: 17, numRuns: 300 },
      );
    });

    it('keeps plans apart: drawing from one does not move another', () => {
      const alone = strategy(candidatesOf(3, 2, 1));
      const [left, right] = [strategy(candidatesOf(3, 2, 1)), strategy(candidatesOf(1, 1, 5))];
      const randoms = [seededRandom(5), seededRandom(5)];
      for (let turn = 0; turn < 50; turn++) {
        const expected = drawOnce(alone, 2, turn, randoms[0]!);
        assert.deepEqual(drawOnce(left, 2, turn, randoms[1]!), expected);
        drawOnce(right, 3, turn, seededRandom(turn));
      }
    });

    it('does not look at who asks where there is one candidate: the answer is for everybody', () => {
      const state: DrawState = {
        turn: 0,
        random: seededRandom(1),
        get client(): number {
          return assert.fail('looked at the client');
        },
      };
      assert.equal(strategy(candidatesOf(3)).draw(8, state, new Uint16Array(8)), 1);
    });

    it('draws nothing from nothing', () => {
      const plan = strategy([]);
      assert.deepEqual(drawOnce(plan, 8, 0, seededRandom(1)), []);
      assert.deepEqual([plan.srvWeights, plan.srvPriorities], [[], []]);
    });

    it('draws from a thousand without trouble', () => {
      const plan = strategy(candidatesOf(...Array.from({ length: 1000 }, (_, i) => i % 7)));
      assert.equal(new Set(drawOnce(plan, 1000, 123_456, seededRandom(1))).size, 1000);
    });

    if (!isFixed) testSharing(strategy);
  });
}

function testSharing(strategy: Strategy): void {
  it('shares first places among those of weight 0 when nobody else is there', () => {
    const counts = firstPlaces(strategy(candidatesOf(0, 0, 0)), 1, 3000);
    for (const count of counts) assert.ok(count > 800 && count < 1200, `${counts}`);
  });

  it('gives everybody of some weight the first place some time', () => {
    const counts = firstPlaces(strategy(candidatesOf(1, 2, 3, 4)), 4, 1000);
    assert.ok(
      counts.every((count) => count > 0),
      `${counts}`,
    );
  });

  it('gives clients that draw by SRV weight the same shares as those that take the first, also in short answers', () => {
    for (const [weights, limit] of [
      [new Array<number>(20).fill(1), 8],
      [[5, 3, 2], 3],
      [[1, 1, 1, 1, 1, 0], 4],
    ] as const) {
      const plan = strategy(candidatesOf(...weights), { limit });
      const state = drawState(seededRandom(6));
      const order = new Uint16Array(plan.size);
      const [first, bySrv] = [0, 0].map(() => new Array<number>(plan.size).fill(0));
      const draws = 20_000;
      for (let turn = 0; turn < draws; turn++) {
        state.turn = turn;
        const drawn = [...order.subarray(0, plan.draw(limit, state, order))];
        first![drawn[0]!]!++;
        for (const [i, chance] of srvChances(plan, drawn).entries()) bySrv![drawn[i]!]! += chance;
      }
      const worst = Math.max(...first!.map((count, index) => Math.abs(count - bySrv![index]!) / draws));
      assert.ok(worst < 0.015, `${weights} in ${limit}: ${first} first, ${bySrv} by SRV`);
    }
  });
}
