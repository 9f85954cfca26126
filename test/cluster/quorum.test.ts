// quorum.test.ts -- what nodes make together of what each of them sees

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { joinOpinions, quorumOf } from '../../src/cluster/quorum.ts';
import type { Outcome } from '../../src/health/check-spec.ts';

const WORDS: Readonly<Record<string, Outcome>> = { p: 'passing', w: 'warning', c: 'critical' };

describe('how many must agree', () => {
  // quorum, nodes that run the check, needed
  const rows: [number | 'majority', number, number][] = [
    ['majority', 1, 1],
    ['majority', 2, 2],
    ['majority', 3, 2],
    ['majority', 5, 3],
    [1, 3, 1],
    [2, 3, 2],
    [5, 3, 3],
    [3, 1, 1],
  ];
  for (const [quorum, assigned, needed] of rows) {
    it(`${quorum} of ${assigned}: ${needed}`, () => assert.equal(quorumOf(quorum, assigned), needed));
  }
});

describe('what opinions come to', () => {
  // opinions (p, w, c), needed, before -> after
  const rows: [string, number, string, string | undefined][] = [
    ['', 2, '', undefined],
    ['', 2, 'p', 'p'],
    // Nothing was known: the first decides.
    ['p', 2, '', 'p'],
    ['c', 2, '', 'c'],
    // One of two is not enough to change anything.
    ['c', 2, 'p', 'p'],
    ['p', 2, 'c', 'c'],
    // Both are.
    ['cc', 2, 'p', 'c'],
    ['pp', 2, 'c', 'p'],
    ['pc', 2, 'p', 'p'],
    // One of two that cannot reach it does not keep it out either.
    ['pc', 2, 'c', 'p'],
    ['pc', 2, '', 'p'],
    ['cc', 2, '', 'c'],
    ['ppc', 2, 'p', 'p'],
    ['pcc', 2, 'p', 'c'],
    ['pc', 1, 'p', 'c'],
    ['wp', 2, 'p', 'p'],
    ['wc', 2, 'p', 'w'],
    ['ww', 2, 'p', 'w'],
    ['pwc', 2, 'p', 'w'],
  ];
  for (const [opinions, needed, before, after] of rows) {
    it(`${opinions || 'none'}, ${needed} needed, ${before || 'unknown'} before: ${after ?? 'unknown'}`, () => {
      const outcome = joinOpinions(
        Array.from(opinions, (each) => WORDS[each]!),
        needed,
        WORDS[before],
      );
      assert.equal(outcome, after === undefined ? undefined : WORDS[after]);
    });
  }
});
