// timer-wheel.test.ts -- many timers over one: when they fire, in what order, and what happens after a stall

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Timer } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { TimerWheel, type TimerWheelOptions } from '../../src/health/timer-wheel.ts';
import { FakeClock } from '../support/fake-clock.ts';

function setUp(options: TimerWheelOptions = {}) {
  const clock = new FakeClock();
  const wheel = new TimerWheel(clock, options);
  const fired: string[] = [];
  const set = (name: string, delayMs: number) =>
    wheel.after(delayMs, () => fired.push(`${name}@${clock.monotonicMs()}`));
  return { clock, wheel, fired, set };
}

describe('timer wheel: when timers fire', () => {
  const rows: readonly (readonly [delayMs: number, firesMs: number])[] = [
    [0, 0],
    [1, 10],
    [10, 10],
    [10.5, 20],
    [999, 1000],
    [10_230, 10_230],
    [10_240, 10_240],
    [10_250, 10_250],
    [86_400_000, 86_400_000],
  ];
  for (const [delayMs, firesMs] of rows) {
    it(`after ${delayMs} ms: at ${firesMs} ms`, async () => {
      const { clock, fired, set } = setUp();
      set('a', delayMs);
      await clock.advance(firesMs - 1);
      if (firesMs > 0) assert.deepEqual(fired, []);
      await clock.advance(1);
      assert.deepEqual(fired, [`a@${firesMs}`]);
    });
  }

  it('never before its time, at most a tick after it, in order, for any mix of delays', async () => {
    const random = seededRandom(11);
    const { clock, wheel } = setUp({ slots: 64 });
    const late: number[] = [];
    let lastTick = 0;
    for (let i = 0; i < 3000; i++) {
      const dueMs = clock.monotonicMs() + random.next() * 3000;
      wheel.after(dueMs - clock.monotonicMs(), () => {
        late.push(clock.monotonicMs() - dueMs);
        const tick = Math.floor(clock.monotonicMs() / 10);
        assert.ok(tick >= lastTick, 'time does not go back');
        lastTick = tick;
      });
      if (i % 100 === 0) await clock.advance(random.next() * 100);
    }
    await clock.advance(4000);
    assert.equal(late.length, 3000);
    assert.equal(wheel.size, 0);
    assert.ok(Math.min(...late) >= -1e-6, `earliest ${Math.min(...late)}`);
    assert.ok(Math.max(...late) <= 10, `latest ${Math.max(...late)}`);
  });

  it('does not drift: a thousand periods of 10 ms that follow each other end at 10 s', async () => {
    const { clock, wheel } = setUp();
    let count = 0;
    const again = () => {
      if (++count < 1000) wheel.after(10, again);
    };
    wheel.after(10, again);
    await clock.advance(10_000);
    assert.equal(count, 1000);
  });

  it('timers of one tick fire in the order in which they were set', async () => {
    const { clock, fired, set } = setUp();
    for (const [name, delayMs] of [
      ['a', 15],
      ['b', 12],
      ['c', 20],
      ['d', 10_260],
      ['e', 11],
    ] as const)
      set(name, delayMs);
    await clock.advance(30);
    assert.deepEqual(fired, ['a@20', 'b@20', 'c@20', 'e@20']);
  });

  it('has one real timer, and none when there is nothing to wait for', async () => {
    const { clock, wheel, set } = setUp();
    const timers = [5, 500, 50_000].map((delayMs) => set('x', delayMs));
    assert.deepEqual([clock.pendingCount, wheel.size], [1, 3]);
    await clock.advance(600);
    assert.deepEqual([clock.pendingCount, wheel.size], [1, 1]);
    timers[2]!.cancel();
    assert.deepEqual([clock.pendingCount, wheel.size], [0, 0]);
  });

  it('an earlier timer is not kept waiting by a later one that was set before', async () => {
    const { clock, fired, set } = setUp();
    set('late', 5000);
    await clock.advance(1000);
    set('soon', 100);
    await clock.advance(100);
    assert.deepEqual(fired, ['soon@1100']);
  });
});

describe('timer wheel: taking back', () => {
  it('a timer that was taken back does not fire; taking back twice, or after firing, does nothing', async () => {
    const { clock, wheel, fired, set } = setUp();
    const [a, b] = [set('a', 50), set('b', 50)];
    a.cancel();
    a.cancel();
    await clock.advance(100);
    b.cancel();
    assert.deepEqual(fired, ['b@50']);
    assert.equal(wheel.size, 0);
  });

  it('a callback may take back the ones that are due with it, and set new ones', async () => {
    const { clock, wheel, fired, set } = setUp();
    const others: Timer[] = [];
    wheel.after(50, () => {
      for (const other of others) other.cancel();
      set('new', 0);
    });
    others.push(set('x', 50), set('y', 50));
    await clock.advance(100);
    assert.deepEqual(fired, ['new@60'], 'never in the same turn, which might not end then');
  });

  it('goes on after a callback that throws', async () => {
    const { clock, wheel, fired, set } = setUp();
    wheel.after(50, () => {
      throw new Error('broken');
    });
    set('next', 50);
    await assert.rejects(clock.advance(50), /broken/);
    await clock.advance(50);
    assert.equal(fired.length, 1);
  });
});

describe('timer wheel: after a stall', () => {
  it('catches up in slices, everything once, and says how long it lasted', async () => {
    const { clock, wheel } = setUp({ slice: 100 });
    const stalls = new Set<number>();
    let fired = 0;
    for (let i = 0; i < 10_000; i++) {
      wheel.after(i % 5000, () => {
        fired++;
        stalls.add(wheel.stallMs);
      });
    }
    clock.stall(60_000);
    let turns = 0;
    const clockAfter = clock.after.bind(clock);
    clock.after = (delayMs, callback) => {
      if (delayMs === 0) turns++;
      return clockAfter(delayMs, callback);
    };
    await clock.advance(0);
    assert.equal(fired, 10_000);
    assert.equal(turns, 99, 'a hundred slices, the first by the timer that was late');
    assert.deepEqual([...stalls], [60_000]);
    wheel.after(1000, () => stalls.add(wheel.stallMs));
    await clock.advance(1000);
    assert.deepEqual([...stalls], [60_000, 0]);
  });

  it('what is left of a slice can be taken back, and new timers wait for their time', async () => {
    const { clock, wheel, fired, set } = setUp({ slice: 1 });
    const others: Timer[] = [];
    wheel.after(10, () => {
      others[1]!.cancel();
      set('new', 25);
    });
    others.push(set('a', 10), set('b', 10), set('c', 10));
    clock.stall(100);
    await clock.advance(1000);
    assert.deepEqual(fired, ['a@100', 'c@100', 'new@130']);
    assert.equal(wheel.size, 0);
  });

  it('is not woken for days that passed in sleep', async () => {
    const { clock, fired, set } = setUp();
    set('a', 1000);
    set('b', 10 * 86_400_000 + 5000);
    clock.stall(10 * 86_400_000);
    await clock.advance(10_000);
    assert.deepEqual(fired, ['a@864000000', 'b@864005000']);
  });
});
