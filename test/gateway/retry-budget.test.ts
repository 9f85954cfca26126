// retry-budget.test.ts -- how many retries there are for how many requests

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RetryBudget } from '../../src/gateway/retry-budget.ts';

function taken(budget: RetryBudget, nowMs: number): number {
  let count = 0;
  while (budget.take(nowMs)) count++;
  return count;
}

describe('retry budget', () => {
  for (const { share, requests, retries } of [
    { share: 0.2, requests: 0, retries: 30 },
    { share: 0.2, requests: 100, retries: 30 },
    { share: 0.2, requests: 1000, retries: 200 },
    { share: 1, requests: 1000, retries: 1000 },
    { share: 0, requests: 1000, retries: 0 },
  ]) {
    it(`${share} of ${requests} requests: ${retries}`, () => {
      const budget = new RetryBudget(share);
      for (let i = 0; i < requests; i++) budget.request(5000);
      assert.equal(taken(budget, 5000), retries);
    });
  }

  it('seconds that are over do not count, one by one', () => {
    const budget = new RetryBudget(0.5);
    for (let i = 0; i < 100; i++) budget.request(1000);
    for (let i = 0; i < 100; i++) budget.request(6000);
    assert.equal(taken(budget, 6000), 100, 'of 200');
    for (let i = 0; i < 100; i++) budget.request(10_999);
    assert.equal(taken(budget, 10_999), 50, 'of 100 more');
    // The first hundred is forgotten, and none of the retries.
    assert.equal(taken(budget, 11_000), 0, 'of 200');
    // Now the retries of the sixth second as well.
    assert.equal(taken(budget, 16_000), 0, 'fifty of 100 are taken');
    assert.equal(taken(budget, 21_000), 30, 'all is forgotten');
  });

  it('a long silence forgets all', () => {
    const budget = new RetryBudget(0.2);
    for (let i = 0; i < 1000; i++) budget.request(1000);
    assert.equal(taken(budget, 1000), 200, 'before');
    assert.equal(taken(budget, 1e9), 30, 'after');
  });
});
