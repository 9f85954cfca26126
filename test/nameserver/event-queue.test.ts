// event-queue.test.ts -- events come by time

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import { EventQueue } from '../../src/nameserver/event-queue.ts';

test('events come by time, however they were put in and taken out', () => {
  const queue = new EventQueue();
  const random = seededRandom(5);
  const waiting: number[] = [];
  for (let i = 0; i < 5000; i++) {
    if (waiting.length === 0 || random.next() < 0.6) {
      const atMs = random.below(500);
      waiting.push(atMs);
      queue.push(atMs, atMs * 2);
    } else {
      waiting.sort((a, b) => b - a);
      const nextMs = waiting.pop()!;
      assert.equal(queue.nextMs, nextMs);
      assert.equal(queue.pop(), nextMs * 2);
    }
  }
  assert.equal(queue.isEmpty, waiting.length === 0);
});
