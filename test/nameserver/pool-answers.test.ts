// pool-answers.test.ts -- record sets that are made with pauses are those that queries get

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { atOnce } from '../../src/base/pauses.ts';
import { TYPE } from '../../src/dns/codes.ts';
import { parseName } from '../../src/dns/name.ts';
import { Cursors, createCursorMemory } from '../../src/nameserver/cursors.ts';
import { PoolAnswers } from '../../src/nameserver/pool-answers.ts';
import type { Member } from '../../src/registry/member.ts';
import type { Policy } from '../../src/registry/policy.ts';
import { poolOf } from '../../src/routing/pool.ts';

const cursors = new Cursors(createCursorMemory(64));

function membersWith(connections: readonly number[]): Member[] {
  return connections.map((each, i) => ({
    status: 'healthy',
    connections: each,
    instance: {
      ...{ id: `web-${i}`, service: 'web', address: `10.0.${i >> 8}.${i & 255}`, port: 80, ports: {}, tags: [] },
      ...{ meta: { i: String(i) }, weight: 1 },
    },
  }));
}

function answersOf(members: readonly Member[], policy: Policy, space: string, isCurrent = true): PoolAnswers {
  return new PoolAnswers(poolOf(members, policy), {
    ...{ policy, apex: parseName('service.local.'), ttlSeconds: 5, volatileTtlSeconds: 1, maxAnswers: 8 },
    isCurrent: () => isCurrent,
    cursor: (question) => cursors.of(`${space} ${question}`),
  });
}

describe('sets made with pauses', () => {
  const members = membersWith(new Array<number>(1000).fill(1));

  it('are those that are made at once, and are made once', () => {
    for (const type of [TYPE.A, TYPE.AAAA, TYPE.SRV, TYPE.TXT]) {
      const answers = answersOf(members, {}, 'pauses');
      const work = answers.inSteps(type, '@');
      let pauses = 0;
      let step = work.next();
      for (; !step.done; step = work.next()) pauses++;
      const made = step.value;
      assert.ok(pauses >= 3, `${pauses} pauses`);
      assert.equal(made.rdatas.length, type === TYPE.AAAA ? 0 : 1000);
      const other = answersOf(members, {}, 'at once');
      const sets = { [TYPE.A]: () => other.set(TYPE.A, ''), [TYPE.AAAA]: () => other.set(TYPE.AAAA, '') };
      const more = { [TYPE.SRV]: () => other.set(TYPE.SRV, '@'), [TYPE.TXT]: () => other.set(TYPE.TXT, '') };
      assert.deepEqual(made.rdatas, { ...sets, ...more }[type]!().rdatas);
      assert.equal(atOnce(answers.inSteps(type, '@')), made, 'kept');
    }
  });

  it('give way to what a query made in between', () => {
    const answers = answersOf(members, {}, 'between');
    const work = answers.inSteps(TYPE.A, '');
    work.next();
    const made = answers.set(TYPE.A, '');
    assert.equal(atOnce(work), made);
    assert.equal(answers.set(TYPE.A, ''), made);
  });
});

describe('what holds no more', () => {
  it('does not teach least-connections', () => {
    const policy: Policy = { strategy: 'least-connections' };
    const weightsAfter = (space: string, isCurrent: boolean): readonly number[] => {
      answersOf(membersWith([9, 1, 1]), policy, space, isCurrent).set(TYPE.SRV, '@');
      return answersOf(membersWith([2, 1, 1]), policy, space).set(TYPE.SRV, '@').plan.srvWeights;
    };
    const untaught = answersOf(membersWith([2, 1, 1]), policy, 'nothing before').set(TYPE.SRV, '@').plan.srvWeights;
    assert.deepEqual(weightsAfter('stale before', false), untaught);
    assert.notDeepEqual(weightsAfter('current before', true), untaught);
  });
});
