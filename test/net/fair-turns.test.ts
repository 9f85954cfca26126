// fair-turns.test.ts -- questions are answered in turns of bounded length, and nobody in line is passed over

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { FairTurns, type TurnTaker } from '../../src/net/fair-turns.ts';

describe('turns', () => {
  it('let everybody in line in, in order, a few at a time', async () => {
    const turns = new FairTurns();
    const taken: number[] = [];
    const takers = Array.from({ length: 20 }, (_, i): TurnTaker => ({ takeTurn: () => void taken.push(i) }));
    for (const each of takers) turns.add(each);
    assert.deepEqual(taken, [], 'nobody before the turn');
    for (const wanted of [8, 16, 20, 20]) {
      await turn();
      assert.equal(taken.length, wanted);
    }
    assert.deepEqual(
      taken,
      takers.map((_, i) => i),
    );
  });

  it('come round: who stands in line again is behind the others', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 30 }), async (wishes) => {
        const turns = new FairTurns();
        const taken = wishes.map(() => 0);
        const takers = wishes.map((wish, i): TurnTaker => {
          const taker = {
            takeTurn: () => {
              taken[i]!++;
              if (taken[i]! < wish) turns.add(taker);
            },
          };
          return taker;
        });
        for (const each of takers) turns.add(each);
        for (let rounds = 0; taken.some((count, i) => count < wishes[i]!); rounds++) {
          assert.ok(rounds < 200, 'nobody is left in line for good');
          await turn();
          const waiting = taken.filter((count, i) => count < wishes[i]!);
          if (waiting.length < 2) continue;
          assert.ok(Math.max(...waiting) - Math.min(...waiting) <= 1, `${waiting}: one had more turns than another`);
        }
        assert.deepEqual(taken, wishes);
      }),
      { numRuns: 30 },
    );
  });

  it('are not for those that have left, even in the middle of one', async () => {
    const turns = new FairTurns();
    const taken: string[] = [];
    const gone: TurnTaker = { takeTurn: () => void taken.push('gone') };
    const rude: TurnTaker = {
      takeTurn: () => {
        taken.push('rude');
        turns.remove(gone);
      },
    };
    turns.add(rude);
    turns.add(gone);
    await turn();
    await turn();
    assert.deepEqual(taken, ['rude']);
  });

  it('count nobody twice', async () => {
    const turns = new FairTurns();
    let taken = 0;
    const taker: TurnTaker = { takeTurn: () => void taken++ };
    for (let i = 0; i < 5; i++) turns.add(taker);
    await turn();
    await turn();
    assert.equal(taken, 1);
  });

  it('have an allowance for all together; first questions are free, and it is there anew in the next turn', async () => {
    const turns = new FairTurns();
    assert.equal(turns.allowance, 65);
    for (let i = 0; i < 1000; i++) turns.spend(1);
    assert.equal(turns.allowance, 65);
    for (let i = 0; i < 3; i++) turns.spend(16);
    assert.equal(turns.allowance, 65 - 3 * 15);
    for (let i = 0; i < 3; i++) turns.spend(16);
    assert.equal(turns.allowance, 1, 'one question is always answered');
    await turn();
    assert.equal(turns.allowance, 65);
  });
});
