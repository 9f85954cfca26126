// cursors.test.ts -- turns are shared by question, whoever asks for the cursor, and never run out

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cursors, createCursorMemory } from '../../src/nameserver/cursors.ts';

const PLACES = 1 << 10;

describe('cursors', () => {
  it('take turns together in all threads that have the memory, by question', () => {
    const memory = createCursorMemory(PLACES);
    const [one, other] = [new Cursors(memory), new Cursors(memory)];
    const turns = [one.of('d web  A'), other.of('d web  A'), one.of('d web  A'), other.of('d web  SRV @')];
    assert.deepEqual(
      turns.map((cursor) => cursor.next()),
      [0, 1, 2, 0],
    );
  });

  it('tell apart questions that differ in one character, and domains', () => {
    const cursors = new Cursors(createCursorMemory(PLACES));
    const questions = [
      'd web  A',
      'd web  AAAA',
      'd web b A',
      'd wea  A',
      'e web  A',
      'd web  SRV @',
      'd web  SRV _tcp',
    ];
    for (const question of questions) assert.equal(cursors.of(question).next(), 0, question);
    for (const question of questions) assert.equal(cursors.of(question).next(), 1, question);
  });

  it('count on where the 32 bits of memory end', () => {
    const memory = createCursorMemory(PLACES);
    const cursor = new Cursors(memory).of('question');
    for (const [before, expected] of [
      [2 ** 31 - 1, [2 ** 31 - 1, 2 ** 31]],
      [2 ** 32 - 1, [2 ** 32 - 1, 0]],
    ] as const) {
      cursor.turns[cursor.place] = before;
      assert.deepEqual([cursor.next(), cursor.next()], expected);
    }
  });

  it('keep thousands of questions apart while there are places', () => {
    const cursors = new Cursors(createCursorMemory(1 << 14));
    const firsts = Array.from({ length: 1 << 12 }, (_, i) => cursors.of(`d service-${i}  A`).next());
    assert.deepEqual(new Set(firsts), new Set([0]));
  });

  it('share turns when there are more questions than places, and lose none', () => {
    const memory = createCursorMemory(64);
    const cursors = new Cursors(memory);
    const early = cursors.of('early');
    const all = Array.from({ length: 500 }, (_, i) => cursors.of(`question ${i}`));
    for (const cursor of [early, ...all]) cursor.next();
    const turns = new Set([early, ...all].map(({ place }) => place));
    assert.ok(turns.size <= 64, `${turns.size} turns for 64 places`);
    assert.equal(
      [...turns].reduce((sum, place) => sum + early.turns[place]!, 0),
      501,
    );
    assert.ok(
      all.every((cursor, i) => cursors.of(`question ${i}`).next() === cursor.next() - 1),
      'a question keeps its place',
    );
  });
});
