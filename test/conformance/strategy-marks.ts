// strategy-marks.ts -- how exactly strategies must share, in a million draws, and how little a change may move

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Candidate, Strategy } from '../../src/balance/plan.ts';
import { seededRandom } from '../../src/base/random.ts';
import {
  addressCandidates,
  candidatesOf,
  chiSquareDeviation,
  countPlaces,
  drawOnce,
  drawState,
  LIKELY,
} from './strategies.ts';

/** Which marks a strategy is held to. */
export interface StrategyMarks {
  /** Of one weight, everybody is equally likely to be first, as if by chance. */
  readonly isChance?: boolean;
  /** First places and places go by weight, closer than chance has it. */
  readonly isExact?: boolean;
  /** Clients keep their own candidates. */
  readonly isSticky?: boolean;
}

/** Register the marks of one strategy. */
export function testMarks(name: string, strategy: Strategy, marks: StrategyMarks): void {
  describe(`${name}: marks`, () => {
    if (marks.isChance) testChance(strategy);
    if (marks.isExact) testExactness(strategy);
    if (marks.isSticky) testStickiness(strategy);
  });
}

const MILLION = 1_000_000;

function testChance(strategy: Strategy): void {
  for (const [count, limit] of [
    [3, 1],
    [10, 8],
    [100, 8],
  ] as const) {
    it(`shares a million first places among ${count} as chance does, ${limit} to an answer: chi-square p > 0.001`, () => {
      const { first } = countPlaces(strategy(addressCandidates(count), { limit }), limit, MILLION, count);
      const deviation = chiSquareDeviation(first, new Array<number>(count).fill(1));
      assert.ok(deviation < LIKELY, `${deviation}: ${first}`);
    });
  }
}

/** Nobody may be off by more than this part of what is due to it, beside the few of a round that is not over. */
const EXACTNESS = 0.005;
const UNFINISHED = 5;

function testExactness(strategy: Strategy): void {
  for (const [weights, limit] of [
    [[5, 3, 2], 1],
    [[5, 3, 2], 2],
    [[1, 4095], 1],
    [[1, 4096], 1],
    [[7919, 104_729, 3, 17], 2],
    [Array.from({ length: 100 }, (_, i) => i + 1), 8],
    [[...new Array<number>(999).fill(1), 65_535], 3],
    [[...new Array<number>(40).fill(1), 100, 200, 300], 8],
    [[0.3, 2.5, 1 / 3, 7, 7, 1], 3],
  ] as const) {
    it(`has everybody as often as its weight says in a million draws: ${weights.length} from ${weights[0]}, ${limit} places`, () => {
      const { first, included } = countPlaces(strategy(candidatesOf(...weights), { limit }), limit, MILLION);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const chances = inclusions(weights, limit);
      for (const [i, weight] of weights.entries()) {
        const [share, chance] = [(weight / total) * MILLION, chances[i]! * MILLION];
        assert.ok(Math.abs(first[i]! - share) <= UNFINISHED + EXACTNESS * share, `${i} first: ${first[i]} of ${share}`);
        assert.ok(
          Math.abs(included[i]! - chance) <= UNFINISHED + EXACTNESS * chance,
          `${i} in: ${included[i]} of ${chance}`,
        );
      }
    });
  }

  it('is exact over a cycle of up to 4096 slots, wherever it begins', () => {
    for (const weights of [[1, 4095], [2048, 1024, 1000, 24], Array.from({ length: 90 }, (_, i) => i + 1)]) {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const plan = strategy(candidatesOf(...weights));
      for (const from of [0, 12_345]) {
        const first = new Array<number>(weights.length).fill(0);
        for (let turn = from; turn < from + total; turn++) first[drawOnce(plan, 1, turn, seededRandom(1))[0]!]!++;
        assert.deepEqual(first, weights);
      }
    }
  });
}

/** How often each should be in an answer: min(1, c w), with c such that all places are taken. */
function inclusions(weights: readonly number[], limit: number): number[] {
  let low = 0;
  let high = 1e9;
  for (let i = 0; i < 200; i++) {
    const factor = (low + high) / 2;
    const places = weights.reduce((sum, weight) => sum + Math.min(1, factor * weight), 0);
    if (places < limit) low = factor;
    else high = factor;
  }
  return weights.map((weight) => Math.min(1, high * weight));
}

function testStickiness(strategy: Strategy): void {
  it('has nobody of 5,000 above 1.3 times the mean in a million places', () => {
    // Sixteen places of each client. Nobody is favoured, as the deviation says; the rest is chance.
    const { included } = countPlaces(strategy(addressCandidates(5000), { limit: 16 }), 16, 62_500);
    assert.ok(chiSquareDeviation(included, new Array(5000).fill(1)) < LIKELY, 'more uneven than by chance');
    const mean = MILLION / 5000;
    assert.ok(Math.max(...included) <= 1.3 * mean, `${Math.max(...included)} of ${mean}`);
  });

  for (const count of [2, 5, 20, 200]) {
    for (const [weights, limit] of [
      [1, 1],
      [1, 8],
      [4, 3],
    ] as const) {
      it(`moves at most 1.5 / ${count} of all pairs when one of ${count} goes or comes: weights to ${weights}, ${limit} places`, () => {
        const clients = 20_000;
        const all = addressCandidates(count, weights);
        const total = all.reduce((sum, { weight }) => sum + weight, 0);
        // One that weighs no more than the mean: with a heavy one more has to go.
        const gone = all.findLastIndex(({ weight }) => weight * count <= total);
        const [more, fewer] = [all, all.toSpliced(gone, 1)].map((each) => pairsOf(strategy, each, clients, limit));
        for (const [before, after] of [
          [more!, fewer!],
          [fewer!, more!],
        ] as const) {
          const moved = [...before].filter((pair) => !after.has(pair)).length;
          assert.ok(moved <= (1.5 / count) * before.size, `${moved} of ${before.size}`);
        }
      });
    }
  }
}

/** All pairs of a client and a candidate that it is told of. */
function pairsOf(
  strategy: Strategy,
  candidates: readonly Candidate[],
  clients: number,
  limit: number,
): ReadonlySet<string> {
  const plan = strategy(candidates, { limit });
  const random = seededRandom(limit);
  const order = new Uint16Array(limit);
  const pairs = new Set<string>();
  for (let client = 0; client < clients; client++) {
    const count = plan.draw(limit, drawState(random, Math.imul(client, 0x9e3779b1) >>> 0), order);
    for (let i = 0; i < count; i++) pairs.add(`${client} ${candidates[order[i]!]!.key}`);
  }
  return pairs;
}
