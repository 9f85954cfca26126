// tiers.test.ts -- which tier answers, and who is in which

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Policy } from '../../src/registry/policy.ts';
import { poolOf } from '../../src/routing/pool.ts';
import { idsOf, membersFrom } from '../support/routing.ts';

const TIERS: NonNullable<Policy['tiers']> = [{ match: { tags: ['t1'] } }, { match: { tags: ['t2'] } }];

function withSpill(first: number, second?: number): NonNullable<Policy['tiers']> {
  return [
    { match: { tags: ['t1'] }, spillBelow: first },
    { match: { tags: ['t2'] }, ...(second === undefined ? {} : { spillBelow: second }) },
  ];
}

describe('the active tier', () => {
  const rows: readonly (readonly [what: string, members: string, policy: Policy, active: string])[] = [
    ['the first', 'a/h/t1 b/h/t2 c/h', { tiers: TIERS }, 'a'],
    ['the first, also with one of many well', 'a/h/t1 b/u/t1 c/u/t1 d/h/t2', { tiers: TIERS }, 'a'],
    ['one that warns is well', 'a/w/t1 b/h/t2', { tiers: TIERS }, 'a'],
    ['the next when nobody in it is well', 'a/u/t1 b/h/t2 c/h', { tiers: TIERS }, 'b'],
    ['that of the unmatched ones last', 'a/u/t1 b/d/t2 c/h', { tiers: TIERS }, 'c'],
    ['nobody when nobody is well', 'a/u/t1 b/u/t2 c/u', { tiers: TIERS }, ''],
    ['the first match counts', 'a/h/t1,t2 b/h/t2', { tiers: TIERS }, 'a'],
    ['exactly the share is enough', 'a/h/t1 b/u/t1 c/h/t2', { tiers: withSpill(0.5) }, 'a'],
    ['below its share the next', 'a/h/t1 b/u/t1 c/u/t1 d/h/t2', { tiers: withSpill(0.5) }, 'd'],
    [
      'draining and pending ones count for no share',
      'a/h/t1 b/d/t1 c/p/t1 d/m/t1 e/h/t2',
      { tiers: withSpill(1) },
      'a',
    ],
    ['below every share the first with anybody', 'a/h/t1 b/u/t1 c/h/t2 d/u/t2', { tiers: withSpill(0.9, 0.9) }, 'a'],
    ['below every share, unmatched ones are a tier too', 'a/h/t1 b/u/t1 c/h', { tiers: withSpill(0.9, 0.9) }, 'c'],
    ['a share of 0 is none', 'a/u/t1 b/h/t2', { tiers: withSpill(0) }, 'b'],
    [
      'with `all`, the first tier where nobody is well',
      'a/u/t1 b/u/t2 c/u',
      { tiers: TIERS, whenAllUnhealthy: 'all' },
      'a',
    ],
    [
      'with `all` and too few, still the tier where somebody is well',
      'a/u/t1 b/u/t1 c/h/t2 d/u/t2',
      { tiers: TIERS, whenAllUnhealthy: 'all', minHealthyFraction: 0.5 },
      'c d',
    ],
    [
      'with `empty` and too few, nobody',
      'a/u/t1 b/u/t1 c/h/t2 d/u/t2',
      { tiers: TIERS, whenAllUnhealthy: 'empty', minHealthyFraction: 0.5 },
      '',
    ],
    ['not one of weight 0 only while another has a weight', 'a*0/h/t1 b/h/t2', { tiers: TIERS }, 'b'],
    ['that of weight 0 when there is no other', 'a*0/h/t1 b*0/h/t2', { tiers: TIERS }, 'a'],
    ['with those of weight 0 in it', 'a*0/h/t1 b/h/t1 c/h/t2', { tiers: TIERS }, 'a b'],
    ['not one that weighs nothing while it warns', 'a/w/t1 b/h/t2', { tiers: TIERS, warningWeight: 0 }, 'b'],
    ['without tiers, everybody', 'a/h/t1 b/u/t2 c/h', {}, 'a c'],
  ];
  for (const [what, members, policy, active] of rows) {
    it(`is ${what}`, () => assert.equal(idsOf(poolOf(membersFrom(members), policy).active), active));
  }
});

describe('tiers', () => {
  it('all stay in the pool, each member in its own', () => {
    const pool = poolOf(membersFrom('a/h b/h/t2 c/u/t1 d/h/t1'), { tiers: TIERS });
    assert.equal(idsOf(pool.answerable), 'a b d');
    assert.deepEqual(pool.answerable.map(pool.tierOf), [2, 1, 0]);
  });

  it('say how they stand', () => {
    const { tiers } = poolOf(membersFrom('a/h/t1 b/u/t1 c/u/t1 d/h/t2 e/d/t2 f/h'), { tiers: withSpill(0.5) });
    assert.deepEqual(tiers, [
      { tier: 0, well: 1, counted: 3, spillBelow: 0.5, isActive: false },
      { tier: 1, well: 1, counted: 1, spillBelow: undefined, isActive: true },
      { tier: 2, well: 1, counted: 1, spillBelow: undefined, isActive: false },
    ]);
  });

  it('match by metadata as well, and all of what is said must hold', () => {
    const members = membersFrom('a/h/t1 b/h b2/h/t1').map((member) =>
      member.instance.id === 'a' ? member : { ...member, instance: { ...member.instance, meta: { site: 'x' } } },
    );
    const first = (match: object) => idsOf(poolOf(members, { tiers: [{ match }] }).active);
    assert.equal(first({ meta: { site: 'x' } }), 'b b2');
    assert.equal(first({ meta: { site: 'x' }, tags: ['t1'] }), 'b2');
    assert.equal(first({ meta: { site: 'y' } }), 'a b b2');
    assert.equal(first({ meta: { toString: 'x' } }), 'a b b2');
  });
});
