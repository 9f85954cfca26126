// clock.test.ts -- the machine's clock and its timers

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rfc3339, systemClock } from '../../src/base/clock.ts';

describe('the system clock', () => {
  it('reads the wall and a time that never goes back', () => {
    assert.ok(Math.abs(systemClock.wallMs() - Date.now()) < 1000);
    let last = systemClock.monotonicMs();
    for (let i = 0; i < 1000; i++) {
      const now = systemClock.monotonicMs();
      assert.ok(now >= last);
      last = now;
    }
  });

  it('fires a timer once, no earlier than asked', async () => {
    // A timer does not keep the process alive, so this does.
    const alive = setTimeout(() => {}, 10_000);
    const start = performance.now();
    let fired = 0;
    await new Promise<void>((resolve) => {
      systemClock.after(20, () => {
        fired++;
        resolve();
      });
    });
    // setTimeout counts in whole milliseconds.
    assert.ok(performance.now() - start >= 19);
    assert.equal(fired, 1);
    clearTimeout(alive);
  });

  it('does not fire a timer that was taken back', async () => {
    let fired = false;
    const timer = systemClock.after(1, () => {
      fired = true;
    });
    timer.cancel();
    timer.cancel();
    await new Promise((resolve) => setTimeout(resolve, 15));
    assert.equal(fired, false);
  });

  it('waits for months: setTimeout alone would fire at once', (test) => {
    test.mock.timers.enable({ apis: ['setTimeout'] });
    const dayMs = 86_400_000;
    let fired = 0;
    let cancelled = 0;
    systemClock.after(60 * dayMs, () => fired++);
    const other = systemClock.after(60 * dayMs, () => cancelled++);
    // Node's mock reaches one deadline a tick.
    for (let day = 0; day < 59; day++) test.mock.timers.tick(dayMs);
    assert.equal(fired, 0);
    other.cancel();
    test.mock.timers.tick(dayMs);
    test.mock.timers.tick(dayMs);
    assert.deepEqual([fired, cancelled], [1, 0]);
  });
});

it('times are RFC 3339 text, UTC', () => {
  assert.equal(rfc3339(0), '1970-01-01T00:00:00.000Z');
  assert.equal(rfc3339(Date.UTC(2026, 1, 3, 4, 5, 6, 7)), '2026-02-03T04:05:06.007Z');
});
