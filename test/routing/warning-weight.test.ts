// warning-weight.test.ts -- what instances weigh while some of them warn or warm up

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Member } from '../../src/registry/member.ts';
import { weightsOf } from '../../src/routing/warning-weight.ts';

/** `h10` is a healthy member of weight 10, `w10` one that warns, `u10` one that is unhealthy; `h10@0.2` warms up. */
function members(text: string): Member[] {
  const statuses = { h: 'healthy', w: 'warning', u: 'unhealthy' } as const;
  return text.split(' ').map((word) => {
    const [weight, warmth] = word.slice(1).split('@').map(Number);
    return {
      instance: { weight } as Member['instance'],
      status: statuses[word[0] as 'h' | 'w' | 'u'],
      ...(warmth === undefined ? {} : { warmth }),
    };
  });
}

describe('weights', () => {
  const rows: readonly (readonly [factor: number | undefined, given: string, weights: string])[] = [
    [undefined, 'h10 w10', '10 10'],
    [1, 'h10 w10', '10 10'],
    [0.5, 'h10 h3', '10 3'],
    [0.5, 'h10 w10 u10', '10 5 10'],
    [0.5, 'h10 w1 w0', '20 1 0'],
    [0.5, 'h1 w1', '2 1'],
    [0.1, 'h1 w1', '10 1'],
    [0.1, 'h100 w30', '100 3'],
    [0.3, 'h1 w1', '10 3'],
    [0.05, 'h1 w1', '20 1'],
    [0.333, 'h1 w1', '100 33'],
    [0.001, 'h1 w1', '100 1'],
    [0.001, 'h65535 w65535', '6553500 6554'],
    [0, 'h10 w10 w1', '10 0 0'],
    [0.5, 'h0 w0', '0 0'],
    [undefined, 'h1 h1@0.1', '10 1'],
    [undefined, 'h100 h100@0.3 h0@0.3', '100 30 0'],
    [undefined, 'h5@0.1 h2@0.1', '5 2'],
    [undefined, 'h5@0.1 h5@0.2', '5 10'],
    [0.5, 'h10@0.5 w10', '5 5'],
    [0.5, 'w4@0.2 w4@0.2', '2 2'],
  ];
  for (const [factor, given, weights] of rows) {
    it(`of ${given} with ${factor}: ${weights}`, () => {
      const pool = members(given);
      const weightOf = weightsOf(factor === undefined ? undefined : { warningWeight: factor }, pool);
      assert.equal(pool.map(weightOf).join(' '), weights);
    });
  }
});
