// members-by-id.test.ts -- a service's instances are what a Map of them would be, few or many

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MembersById } from '../../src/registry/members-by-id.ts';

interface Numbered {
  readonly instance: { readonly id: string };
  readonly number: number;
}

const id = fc.integer({ min: 0, max: 15 }).map((n) => `i${n}`);
const command = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('put' as const), id, number: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('delete' as const), id }) },
);

describe('members by id', () => {
  it('are those of a Map, in its order, after every change', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const members = new MembersById<Numbered>();
        const model = new Map<string, Numbered>();
        for (const each of commands) {
          if (each.op === 'put') {
            const member = { instance: { id: each.id }, number: each.number };
            members.put(member);
            model.set(each.id, member);
          } else {
            members.delete(each.id);
            model.delete(each.id);
          }
          assert.deepEqual([...members], [...model]);
          assert.deepEqual([...members.keys()], [...model.keys()]);
          assert.deepEqual([...members.values()], [...model.values()]);
          const seen: [string, Numbered][] = [];
          members.forEach((member, key) => void seen.push([key, member]));
          assert.deepEqual(seen, [...model]);
          assert.deepEqual(
            [members.size, members.has('i3'), members.get('i3')],
            [model.size, model.has('i3'), model.get('i3')],
          );
        }
      }),
      { numRuns: 200, seed: 20260103 },
    );
  });

  it('may be changed while they are walked through', () => {
    const members = new MembersById<Numbered>();
    for (const key of ['a', 'b', 'c']) members.put({ instance: { id: key }, number: 1 });
    for (const { instance } of members.values()) members.put({ instance, number: 2 });
    assert.deepEqual(
      Array.from(members.values(), ({ number }) => number),
      [2, 2, 2],
    );
  });
});
