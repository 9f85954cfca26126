// second-look.test.ts -- the truth tables of what may be our own fault

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Outcome } from '../../src/health/check-spec.ts';
import { graceMs, needsSecondLook } from '../../src/health/second-look.ts';

describe('a second look', () => {
  const rows: readonly (readonly [outcome: Outcome, lagMs: number, timeoutMs: number, needed: boolean])[] = [
    ['critical', 0, 2000, false],
    ['critical', 199, 2000, false],
    ['critical', 200, 2000, true],
    ['critical', 5000, 2000, true],
    ['critical', 49, 100, false],
    ['critical', 50, 100, true],
    ['passing', 5000, 2000, false],
    ['warning', 5000, 2000, false],
  ];
  for (const [outcome, lagMs, timeoutMs, needed] of rows) {
    const title = `${outcome} with ${lagMs} ms of lag in ${timeoutMs} ms`;
    it(`${title}: ${needed ? 'yes' : 'no'}`, () =>
      assert.equal(needsSecondLook({ outcome, lagMs, timeoutMs }), needed));
  }
});

describe('grace', () => {
  const rows: readonly (readonly [lateMs: number, allowedMs: number, moreMs: number])[] = [
    [0, 3000, 0],
    [49, 3000, 0],
    [50, 3000, 500],
    [2000, 3000, 2000],
    [9000, 3000, 3000],
    [9000, 300, 300],
  ];
  for (const [lateMs, allowedMs, moreMs] of rows) {
    it(`${lateMs} ms late after ${allowedMs} ms: ${moreMs} ms`, () => assert.equal(graceMs(lateMs, allowedMs), moreMs));
  }
});
