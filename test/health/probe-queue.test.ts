// probe-queue.test.ts -- a bound on what runs at a time, and fairness for what waits

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as settled } from 'node:timers/promises';
import { ProbeQueue } from '../../src/health/probe-queue.ts';

describe('probe queue', () => {
  it('runs at most its limit, in order, and goes on after a failure', async () => {
    const queue = new ProbeQueue(3);
    const order: number[] = [];
    const ends: (() => void)[] = [];
    for (let i = 0; i < 5000; i++) {
      queue.add(() => {
        order.push(i);
        return new Promise((resolve, reject) => ends.push(i % 7 === 0 ? () => reject(new Error('broken')) : resolve));
      });
    }
    assert.deepEqual([queue.running, queue.waiting], [3, 4997]);
    while (ends.length > 0) {
      for (const end of ends.splice(0)) end();
      await settled();
      assert.ok(queue.running <= 3, 'within the limit');
    }
    assert.deepEqual(
      order,
      Array.from({ length: 5000 }, (_, i) => i),
    );
    assert.deepEqual([queue.running, queue.waiting], [0, 0]);
  });

  it('forgets what waits when it is cleared', async () => {
    const queue = new ProbeQueue(1);
    let end = () => {};
    const ran: string[] = [];
    queue.add(() => new Promise((resolve) => (end = resolve)));
    queue.add(async () => void ran.push('forgotten'));
    queue.clear();
    end();
    await settled();
    queue.add(async () => void ran.push('after'));
    assert.deepEqual(ran, ['after']);
  });
});
