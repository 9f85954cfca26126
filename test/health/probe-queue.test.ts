// probe-queue.test.ts -- a bound on what runs at a time, and fairness for what waits

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as settled } from 'node:timers/promises';
import { seededRandom } from '../../src/base/random.ts';
import { type ProbeLimits, ProbeQueue } from '../../src/health/probe-queue.ts';

describe('probe queue', () => {
  it('runs at most its limit, in order, and goes on after a failure', async () => {
    const queue = new ProbeQueue({ total: 3, perHost: 9 });
    const order: number[] = [];
    const ends: (() => void)[] = [];
    for (let i = 0; i < 5000; i++) {
      queue.add('a', () => {
        order.push(i);
        return new Promise<void>((resolve, reject) =>
          ends.push(i % 7 === 0 ? () => reject(new Error('broken')) : resolve),
        );
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
    const queue = new ProbeQueue({ total: 1, perHost: 1 });
    let end = () => {};
    const ran: string[] = [];
    queue.add('a', () => new Promise<void>((resolve) => (end = resolve)));
    queue.add('a', async () => void ran.push('forgotten'));
    queue.clear();
    end();
    await settled();
    queue.add('a', async () => void ran.push('after'));
    assert.deepEqual(ran, ['after']);
  });

  /** Runs what is added until the test ends it; `running` lists them as host and number. */
  function setUp(limits: ProbeLimits) {
    const queue = new ProbeQueue(limits);
    const ends = new Map<string, () => void>();
    const started: string[] = [];
    const add = (...names: string[]) => {
      for (const name of names) {
        queue.add(name[0]!, () => {
          started.push(name);
          return new Promise<void>((resolve) => ends.set(name, resolve));
        });
      }
    };
    const end = async (...names: string[]) => {
      for (const name of names) {
        ends.get(name)?.();
        ends.delete(name);
      }
      await settled();
    };
    return { queue, add, end, started, running: () => [...ends.keys()].sort().join(' ') };
  }

  it('holds to the limit of a host, and goes past it to others', async () => {
    const { queue, add, end, running } = setUp({ total: 5, perHost: 2 });
    add('a1', 'a2', 'a3', 'a4', 'b1');
    assert.equal(running(), 'a1 a2 b1');
    assert.deepEqual([queue.running, queue.waiting], [3, 2]);
    await end('b1');
    assert.equal(running(), 'a1 a2');
    await end('a2');
    assert.equal(running(), 'a1 a3');
  });

  it('hosts take turns: one with many slow probes does not starve others', async () => {
    const { add, end, started } = setUp({ total: 2, perHost: 2 });
    add('a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'c1', 'b2');
    const order = ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4', 'a5'];
    for (const name of order) await end(name);
    assert.deepEqual(started, order);
  });

  it('keeps its limits and loses nothing, whatever comes and ends', async () => {
    const random = seededRandom(5);
    const { queue, add, end, started, running } = setUp({ total: 7, perHost: 3 });
    const added: string[] = [];
    for (let round = 0; round < 2000; round++) {
      const name = `${'abcdefgh'[random.below(random.below(8) + 1)]}${round}`;
      added.push(name);
      add(name);
      const now = running().split(' ');
      if (random.next() < 0.8) await end(now[random.below(now.length)]!);
      assert.ok(queue.running <= 7, `${queue.running} running`);
      for (const host of 'abcdefgh') assert.ok(now.filter((each) => each[0] === host).length <= 3, `host ${host}`);
      assert.ok(queue.running > 0 || queue.waiting === 0, 'what may go on goes on');
    }
    while (running() !== '') await end(...running().split(' '));
    assert.deepEqual(started.toSorted(), added.toSorted());
    for (const host of 'abcdefgh') {
      const of = (names: readonly string[]) => names.filter((name) => name[0] === host);
      assert.deepEqual(of(started), of(added), 'first come, first served');
    }
    assert.deepEqual([queue.running, queue.waiting], [0, 0]);
  });
});
