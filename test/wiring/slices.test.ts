// slices.test.ts -- long work lets others go on, takes turns, and ends when nobody waits

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../../src/base/clock.ts';
import { mapped } from '../../src/base/pauses.ts';
import { SLICE_MS, Slices } from '../../src/wiring/slices.ts';

const never = new AbortController().signal;

/** Turns of an event loop, one by one; time passes as the work says. */
class TurnClock implements Clock {
  nowMs = 0;
  #callbacks: (() => void)[] = [];

  wallMs(): number {
    return this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  after(): never {
    throw new Error('no timer is needed');
  }

  afterTurn(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  /** What is to be done in this turn, as often as it was asked for. */
  turn(): number {
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback();
    return callbacks.length;
  }
}

/** Each step takes a millisecond and is noted; so is the end. */
function* steps(name: string, count: number, clock: TurnClock, log: string[]): Generator<void, string> {
  try {
    for (let i = 0; i < count; i++) {
      clock.nowMs++;
      log.push(name);
      yield;
    }
    return `${name} is done`;
  } finally {
    log.push(`${name} ends`);
  }
}

function boom(): never {
  throw new RangeError('no');
}

describe('slices', () => {
  it('lasts no longer than it may, and begins when those who wait in sockets had their turn', async () => {
    const clock = new TurnClock();
    const log: string[] = [];
    const done = new Slices(clock).run(steps('a', SLICE_MS * 3 + 1, clock, log), never);
    assert.equal(log.length, 0);
    for (let turn = 1; turn <= 3; turn++) {
      clock.turn();
      assert.equal(log.length, SLICE_MS * turn, `after turn ${turn}`);
    }
    clock.turn();
    assert.equal(await done, 'a is done');
    assert.equal(clock.turn(), 0, 'nothing is left to do');
  });

  it('does one slice in a turn, however many there are', async () => {
    const clock = new TurnClock();
    const log: string[] = [];
    const slices = new Slices(clock);
    const all = ['a', 'b'].map((name) => slices.run(steps(name, SLICE_MS * 2, clock, log), never));
    const turns = ['a', 'b', 'a', 'b'];
    for (const [turn, name] of turns.entries()) {
      clock.turn();
      const since = log.slice(turn * SLICE_MS);
      assert.deepEqual(since, new Array(SLICE_MS).fill(name), `turn ${turn}`);
    }
    while (clock.turn() > 0);
    assert.deepEqual(await Promise.all(all), ['a is done', 'b is done']);
    // Work that comes later finds its way as well.
    const later = slices.run(steps('c', 1, clock, log), never);
    clock.turn();
    assert.equal(await later, 'c is done');
  });

  it('ends what nobody waits for, before it begins as well, and goes on with the rest', async () => {
    const clock = new TurnClock();
    const log: string[] = [];
    const slices = new Slices(clock);
    const gone = new AbortController();
    const ended = assert.rejects(slices.run(steps('a', 100, clock, log), gone.signal), { code: 'stopping' });
    const other = slices.run(steps('b', 1, clock, log), never);
    clock.turn();
    gone.abort();
    const late = assert.rejects(slices.run(steps('c', 1, clock, log), gone.signal), { code: 'stopping' });
    while (clock.turn() > 0);
    await Promise.all([ended, late]);
    assert.equal(await other, 'b is done');
    assert.deepEqual(log, [...new Array(SLICE_MS).fill('a'), 'b', 'b ends', 'a ends']);
  });

  it('hands on what the work throws', async () => {
    const clock = new TurnClock();
    const slices = new Slices(clock);
    const failed = assert.rejects(slices.run(mapped([1], boom), never), RangeError);
    clock.turn();
    await failed;
    const log: string[] = [];
    const next = slices.run(steps('b', 1, clock, log), never);
    clock.turn();
    assert.equal(await next, 'b is done');
  });
});
