// check-schedules.test.ts -- checks are fired at the times of their expressions, and no longer than they want

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { CheckSchedules } from '../../src/schedule/check-schedules.ts';

const EVERY_SECOND = '* * * * * *';

/** Keeps the process alive: schedules alone do not. */
async function running<T>(body: (schedules: CheckSchedules) => Promise<T>): Promise<T> {
  const schedules = new CheckSchedules(silentLogger);
  const alive = setInterval(() => {}, 1000);
  try {
    return await body(schedules);
  } finally {
    clearInterval(alive);
    schedules.stop();
  }
}

describe('CheckSchedules', { timeout: 30_000 }, () => {
  it('fires all that share an expression, time after time', async () => {
    const fired = { a: 0, b: 0 };
    await running(async (schedules) => {
      await new Promise<void>((resolve) => {
        const note = (who: 'a' | 'b') => () => {
          fired[who]++;
          if (fired.a >= 2 && fired.b >= 2) resolve();
        };
        schedules.start({ schedule: EVERY_SECOND }, note('a'));
        schedules.start({ schedule: EVERY_SECOND }, note('b'));
        assert.equal(schedules.size, 1, 'one task for both');
        schedules.start({ schedule: EVERY_SECOND, timezone: 'Asia/Tokyo' }, () => {});
        assert.equal(schedules.size, 2, 'another time zone is another task');
      });
    });
    assert.deepEqual(fired, { a: 2, b: 2 });
  });

  it('does not fire what was cancelled, and forgets what nobody wants', async () => {
    const fired: string[] = [];
    await running(async (schedules) => {
      const fire = () => void fired.push('gone');
      const timers = [1, 2].map(() => schedules.start({ schedule: EVERY_SECOND }, fire));
      timers[0]!.cancel();
      timers[0]!.cancel();
      assert.equal(schedules.size, 1, 'the other one is still there');
      timers[1]!.cancel();
      assert.equal(schedules.size, 0);
      await new Promise<void>((resolve) => schedules.start({ schedule: EVERY_SECOND, timezone: 'UTC' }, resolve));
    });
    assert.deepEqual(fired, []);
  });

  it('a schedule that cannot be followed does no harm', async () => {
    await running(async (schedules) => {
      schedules.start({ schedule: 'never' }, () => {}).cancel();
      assert.equal(schedules.size, 0);
    });
  });
});
