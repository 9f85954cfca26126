// deadline-queue.test.ts -- things fall due in turn, those that left do not, and one timer is enough

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DeadlineQueue, type Timed } from '../../src/gateway/deadline-queue.ts';
import { FakeClock } from '../support/fake-clock.ts';

class Thing implements Timed {
  dueMs = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;
  queue: DeadlineQueue | undefined;
  readonly #expired: () => void;

  constructor(expired: () => void) {
    this.#expired = expired;
  }

  expired(): void {
    this.#expired();
  }
}

describe('deadline queue', () => {
  it('all fall due at their time, in turn', async () => {
    const clock = new FakeClock();
    const queue = new DeadlineQueue(clock, 1000);
    const due: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      queue.add(new Thing(() => due.push(`${name} at ${clock.monotonicMs()}`)), clock.monotonicMs());
      assert.equal(clock.pendingCount, 1, 'timers');
      await clock.advance(300);
    }
    await clock.advance(2000);
    assert.deepEqual(due, ['a at 1000', 'b at 1300', 'c at 1600']);
    assert.equal(clock.pendingCount, 0, 'timers');
  });

  for (const left of [0, 1, 2]) {
    it(`number ${left} of three leaves`, async () => {
      const clock = new FakeClock();
      const queue = new DeadlineQueue(clock, 1000);
      const due: number[] = [];
      const things = [0, 1, 2].map((i) => new Thing(() => due.push(i)));
      for (const thing of things) queue.add(thing, 0);
      queue.remove(things[left]!);
      queue.remove(things[left]!);
      await clock.advance(1000);
      assert.deepEqual(
        due,
        [0, 1, 2].filter((i) => i !== left),
      );
    });
  }

  it('who is added again begins anew, in whatever queue it was', async () => {
    const clock = new FakeClock();
    const queue = new DeadlineQueue(clock, 1000);
    const other = new DeadlineQueue(clock, 500);
    let due = 0;
    const thing = new Thing(() => due++);
    other.add(thing, 0);
    await clock.advance(400);
    queue.add(thing, 400);
    await clock.advance(999);
    assert.equal(due, 0, 'not yet');
    await clock.advance(1);
    assert.equal(due, 1, 'now');
    queue.add(thing, clock.monotonicMs());
    await clock.advance(1000);
    assert.equal(due, 2, 'again');
  });

  it('what expires may add and remove others', async () => {
    const clock = new FakeClock();
    const queue = new DeadlineQueue(clock, 10);
    const due: string[] = [];
    const second = new Thing(() => due.push('second'));
    const third = new Thing(() => due.push('third'));
    const first = new Thing(() => {
      due.push('first');
      queue.remove(second);
      queue.add(third, clock.monotonicMs());
    });
    queue.add(first, 0);
    queue.add(second, 0);
    await clock.advance(10);
    assert.deepEqual(due, ['first']);
    await clock.advance(10);
    assert.deepEqual(due, ['first', 'third']);
  });
});
