// schedule.test.ts -- delays, their spread, and periods that run from start to start

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import { firstDelayMs, periodMs, Schedule } from '../../src/health/schedule.ts';
import { FakeClock } from '../support/fake-clock.ts';

const SAMPLES = 10_000;

function sample(draw: () => number) {
  const values = Array.from({ length: SAMPLES }, draw);
  return { min: Math.min(...values), max: Math.max(...values), mean: values.reduce((a, b) => a + b) / SAMPLES, values };
}

describe('schedule', () => {
  it('the first probe is immediate', () => {
    assert.equal(firstDelayMs(5000, false, seededRandom(1)), 0);
  });

  it('a bulk load is spread evenly over the interval', () => {
    const random = seededRandom(2);
    const { min, max, mean, values } = sample(() => firstDelayMs(10_000, true, random));
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

  it('never sets a timer that Node would fire at once for being too long', () => {
    const delays: number[] = [];
    const clock = new FakeClock();
    clock.after = (delayMs) => {
      delays.push(delayMs);
      return { cancel: () => {} };
    };
    new Schedule(clock, seededRandom(5), 0).next(2 ** 40, 0, () => {});
    assert.deepEqual(delays, [2 ** 31 - 1]);
  });
});
