// answerable.test.ts -- who is answered when too few are well

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isAnswerable, STATUSES, type Status } from '../../src/registry/instance.ts';
import type { Member } from '../../src/registry/member.ts';
import { type Policy, WHEN_ALL_UNHEALTHY } from '../../src/registry/policy.ts';
import { answerableOf } from '../../src/routing/answerable.ts';

const STATUS: Readonly<Record<string, Status>> = {
  h: 'healthy',
  w: 'warning',
  u: 'unhealthy',
  p: 'pending',
  d: 'draining',
  m: 'maintenance',
};

/** A member for each word: a letter for its status, and when it was last answerable. */
function members(text: string): Member[] {
  return text.split(' ').map((word, i) => {
    const instance = { id: `${i}` } as Member['instance'];
    const status = STATUS[word[0]!]!;
    return word.length === 1 ? { instance, status } : { instance, status, lastAnswerableMs: Number(word.slice(1)) };
  });
}

function ids(chosen: readonly Member[]): string {
  return chosen.map(({ instance }) => instance.id).join('');
}

describe('who is answered', () => {
  const rows: readonly (readonly [
    least: number | undefined,
    given: string,
    empty: string,
    all: string,
    last: string,
  ])[] = [
    // Enough are well: nothing else counts.
    [undefined, 'h w u5 p d m', '01', '01', '01'],
    [0, 'h u5 u6 u7', '0', '0', '0'],
    [0.25, 'h u5 u6 u7', '0', '0', '0'],
    [0.7, 'h h h h h h h u1 u1 u1', '0123456', '0123456', '0123456'],
    [1, 'h w', '01', '01', '01'],
    // Nobody is well.
    [undefined, 'u5 u7 u6', '', '012', '1'],
    [undefined, 'u u7 u', '', '012', '1'],
    [undefined, 'u u u', '', '012', ''],
    [undefined, 'u7 u7 u6', '', '012', '01'],
    [undefined, 'u5 d7 m9', '', '0', '0'],
    [undefined, 'd7 m9', '', '', ''],
    [undefined, 'p p', '', '01', ''],
    [undefined, 'p u5 p9', '', '012', '2'],
    // Too few are well.
    [0.5, 'h u5 u6 u7', '', '0123', '03'],
    [0.75, 'h u5 u6 u7', '', '0123', '023'],
    [1, 'h u5 u6 u7', '', '0123', '0123'],
    [1, 'h u u6 u7', '', '0123', '023'],
    [0.5, 'w u5 u7 d9 m9', '', '012', '02'],
    [0.5, 'u5 u6 u7 u8', '', '0123', '23'],
    // Those who are held or pending are no part of the share.
    [0.5, 'h u5 d m p p p', '0', '0', '0'],
    [1, 'h h d m p', '01', '01', '01'],
  ];
  for (const [least, given, ...expected] of rows) {
    for (const [i, whenAllUnhealthy] of WHEN_ALL_UNHEALTHY.entries()) {
      it(`of '${given}', at least ${least}, else ${whenAllUnhealthy}: '${expected[i]}'`, () => {
        const policy: Policy = { whenAllUnhealthy, ...(least === undefined ? {} : { minHealthyFraction: least }) };
        assert.equal(ids(answerableOf(members(given), policy)), expected[i]);
      });
    }
  }

  it('nobody, when too few are well and nothing is said of that', () => {
    assert.equal(ids(answerableOf(members('h u5 u6'), { minHealthyFraction: 0.5 })), '');
    assert.equal(ids(answerableOf(members('u5 u6'), {})), '');
    assert.equal(ids(answerableOf(members('h u6'), undefined)), '0');
    assert.deepEqual(answerableOf([], { whenAllUnhealthy: 'last-known' }), []);
  });

  it('never one that drains or is in maintenance, and always those who are well when they are enough', () => {
    const member = fc.record({
      status: fc.constantFrom(...STATUSES),
      lastAnswerableMs: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
    });
    const policy = fc.record({
      whenAllUnhealthy: fc.constantFrom(...WHEN_ALL_UNHEALTHY),
      minHealthyFraction: fc.constantFrom(0, 0.1, 0.5, 1),
    });
    fc.assert(
      fc.property(fc.array(member, { maxLength: 12 }), policy, (given, chosen) => {
        const all = given.map((each, i) => ({ ...each, instance: { id: `${i}` } as Member['instance'] }));
        const answered = answerableOf(all, chosen);
        assert.ok(answered.every(({ status }) => status !== 'draining' && status !== 'maintenance'));
        assert.deepEqual(
          answered,
          all.filter((each) => answered.includes(each)),
          'in their order, each once',
        );
        const well = all.filter(({ status }) => isAnswerable(status));
        const mode = chosen.whenAllUnhealthy;
        if (mode !== 'empty')
          assert.ok(
            well.every((each) => answered.includes(each)),
            'all who are well',
          );
        if (mode === 'all')
          assert.equal(
            answered.length > 0,
            all.some(({ status }) => !/drain|main/.test(status)),
          );
      }),
    );
  });

  it('last-known is the pool there last was, when instances only leave', () => {
    const leaving = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 });
    fc.assert(
      fc.property(leaving, fc.constantFrom(0, 0.25, 0.5, 0.75), (order, minHealthyFraction) => {
        const policy: Policy = { whenAllUnhealthy: 'last-known', minHealthyFraction };
        let all: Member[] = members('h h h h h h h h');
        let lastEnough = ids(all);
        for (const [time, leaves] of order.entries()) {
          all = all.with(leaves, { ...all[leaves]!, status: 'unhealthy', lastAnswerableMs: time });
          const well = all.filter(({ status }) => status === 'healthy');
          if (well.length > 0 && well.length / 8 >= minHealthyFraction) lastEnough = ids(well);
          assert.equal(ids(answerableOf(all, policy)), lastEnough);
        }
      }),
    );
  });
});
