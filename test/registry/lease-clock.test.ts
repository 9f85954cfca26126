// lease-clock.test.ts -- time counts only while heartbeats can come

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LeaseClock } from '../../src/registry/lease-clock.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** A clock whose process can be stopped: nothing runs, and then all that was due does. */
class StoppableClock extends FakeClock {
  #stoppedMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.#stoppedMs;
  }

  standStill(ms: number): void {
    this.#stoppedMs += ms;
  }
}

describe('the time of the leases', () => {
  it('stands until it is opened, and goes on from where it stood', async () => {
    const clock = new FakeClock();
    const time = new LeaseClock(clock);
    time.startAt(7000);
    await clock.advance(5000);
    assert.equal(time.monotonicMs(), 7000);
    time.open();
    await clock.advance(10);
    assert.equal(time.monotonicMs(), 7010);
  });
  it('does not follow the wall clock', async () => {
    const clock = new FakeClock();
    const time = new LeaseClock(clock);
    time.open();
    time.watch();
    for (const jumpMs of [3_600_000, -86_400_000]) {
      clock.jumpWall(jumpMs);
      await clock.advance(1000);
    }
    assert.deepEqual([time.monotonicMs(), time.wallMs()], [2000, clock.wallMs()]);
  });
  for (const [stoppedMs, counted] of [
    [200, 200],
    [30_000, 250],
  ] as const) {
    it(`counts ${counted} ms of ${stoppedMs} in which the process stood still`, async () => {
      const clock = new StoppableClock();
      const time = new LeaseClock(clock);
      time.open();
      time.watch();
      await clock.advance(10_000);
      clock.standStill(stoppedMs);
      assert.equal(time.monotonicMs(), 10_000 + counted);
      await clock.advance(5000);
      assert.equal(time.monotonicMs(), 15_000 + counted);
      time.unwatch();
      assert.equal(clock.pendingCount, 0);
    });
  }
  it('is not held to account for the time in which nobody had a lease', async () => {
    const clock = new FakeClock();
    const time = new LeaseClock(clock);
    time.open();
    await clock.advance(60_000);
    time.watch();
    await clock.advance(10);
    time.unwatch();
    await clock.advance(60_000);
    assert.equal(time.monotonicMs(), 120_010);
  });
});
