// schedule.test.ts -- delays, their spread, and periods that run from start to start

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import { periodBeginsMs, periodMs, putOffMs, Schedule, spreadDelayMs } from '../../src/health/schedule.ts';
import { FakeClock } from '../support/fake-clock.ts';

const SAMPLES = 10_000;

function sample(draw: () => number) {
  const values = Array.from({ length: SAMPLES }, draw);
  return { min: Math.min(...values), max: Math.max(...values), mean: values.reduce((a, b) => a + b) / SAMPLES, values };
}

describe('schedule', () => {
  it('a bulk load is spread evenly over the interval', () => {
    const random = seededRandom(2);
    const { min, max, mean, values } = sample(() => spreadDelayMs(10_000, random));
    assert.ok(min >= 0 && max < 10_000 && Math.abs(mean - 5000) < 100, `${min} to ${max}, mean ${mean}`);
    const perSecond = new Array<number>(10).fill(0);
    for (const value of values) perSecond[Math.floor(value / 1000)]!++;
    assert.ok(Math.max(...perSecond) < 1.2 * (SAMPLES / 10), `peak ${Math.max(...perSecond)}`);
  });

  it('a period is the interval, give or take the jitter', () => {
    const random = seededRandom(3);
    const { min, max, mean } = sample(() => periodMs(5000, 0.1, random));
    assert.ok(min >= 4500 && min < 4510 && max < 5500 && max > 5490, `${min} to ${max}`);
    assert.ok(Math.abs(mean - 5000) < 15, `mean ${mean}`);
    assert.equal(periodMs(5000, 0, random), 5000);
  });

  it('periods run from start to start, and one that is over already is followed at once', async () => {
    const clock = new FakeClock();
    const schedule = new Schedule(clock, seededRandom(4), 0);
    const fired: number[] = [];
    await clock.advance(1000);
    schedule.next(5000, 400, () => fired.push(clock.monotonicMs()));
    schedule.next(500, 100, () => fired.push(clock.monotonicMs()));
    await clock.advance(10_000);
    assert.deepEqual(fired, [1000, 5400]);
  });

  it('says when a probe was due, so that small delays do not add up', async () => {
    const clock = new FakeClock();
    const schedule = new Schedule(clock, seededRandom(4), 0);
    const due: number[] = [];
    const again = (dueMs: number) => {
      due.push(dueMs);
      schedule.next(1003, periodBeginsMs(dueMs, clock.monotonicMs()), again);
    };
    schedule.next(1003, 0, again);
    await clock.advance(1003 * 100 + 10);
    assert.equal(due.length, 100);
    assert.equal(due.at(-1), 1003 * 100);
  });

  const begins: readonly (readonly [dueMs: number, startedMs: number, beginsMs: number])[] = [
    [1000, 1000, 1000],
    [1000, 1012, 1000],
    [1000, 1050, 1000],
    [1000, 1051, 1051],
    [1000, 60_000, 60_000],
  ];
  for (const [dueMs, startedMs, beginsMs] of begins) {
    it(`due at ${dueMs} and begun at ${startedMs}, the period counts from ${beginsMs}`, () =>
      assert.equal(periodBeginsMs(dueMs, startedMs), beginsMs));
  }

  const putOff: readonly (readonly [stallMs: number, intervalMs: number, mostMs: number])[] = [
    [0, 5000, 0],
    [499, 5000, 0],
    [500, 5000, 500],
    [3000, 5000, 3000],
    [60_000, 5000, 5000],
    [1000, 100, 100],
  ];
  for (const [stallMs, intervalMs, mostMs] of putOff) {
    it(`what fell due in a stall of ${stallMs} ms is put off by up to ${mostMs} ms at ${intervalMs} ms`, () => {
      const random = seededRandom(6);
      const { min, max } = sample(() => putOffMs(stallMs, intervalMs, random));
      assert.ok(min >= 0 && max <= mostMs && max >= mostMs * 0.99, `${min} to ${max}`);
    });
  }

  it('puts off after a stall, and what is put off can be taken back', async () => {
    const clock = new FakeClock();
    const schedule = new Schedule(clock, seededRandom(7), 0);
    const fired: number[] = [];
    const timers = Array.from({ length: 100 }, () => schedule.next(1000, 0, () => fired.push(clock.monotonicMs())));
    clock.stall(4000);
    await clock.advance(100);
    for (const timer of timers.slice(50)) timer.cancel();
    await clock.advance(5000);
    assert.ok(fired.length >= 50 && fired.length < 65, `${fired.length} fired`);
    assert.ok(fired[0]! >= 4000 && fired.at(-1)! <= 5010 && fired.at(-1)! > 4500, `${fired}`);
    assert.equal(clock.pendingCount, 0);
  });
});
