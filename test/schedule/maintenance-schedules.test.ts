// maintenance-schedules.test.ts -- actions happen when their cron expression says so, and failures stay inside

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { createLogger, silentLogger } from '../../src/base/log.ts';
import {
  type MaintenanceAction,
  type MaintenanceSchedule,
  type RunningSchedules,
  startSchedules,
} from '../../src/schedule/maintenance-schedules.ts';

const NIGHTLY: MaintenanceSchedule = {
  name: 'nightly',
  cron: '30 2 * * *',
  timezone: 'UTC',
  maintenance: 'on',
  target: { service: 'cart' },
};

/** Moves the mocked time in steps, letting the promises between two timers run. */
async function advance(ms: number, stepMs = 1000): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    mock.timers.tick(Math.min(stepMs, ms - passed));
    for (let i = 0; i < 6; i++) await Promise.resolve();
  }
}

function logInto(lines: Record<string, unknown>[]) {
  return createLogger('debug', { write: (line) => void lines.push(JSON.parse(line)) });
}

describe('maintenance schedules', () => {
  let running: RunningSchedules | undefined;
  let actions: (MaintenanceAction & { at: string })[];
  const record = async (action: MaintenanceAction): Promise<void> => {
    actions.push({ ...action, at: new Date().toISOString() });
  };

  beforeEach(() => {
    actions = [];
    mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.parse('2027-03-01T02:29:50Z') });
  });
  afterEach(async () => {
    await running?.stop();
    mock.timers.reset();
  });

  it('carries out an action at its time, with what it is about', async () => {
    running = startSchedules([NIGHTLY], { run: record, log: silentLogger });
    await advance(9000);
    assert.deepEqual(actions, []);
    await advance(2000);
    assert.deepEqual(actions, [
      { name: 'nightly', maintenance: 'on', target: { service: 'cart' }, at: '2027-03-01T02:30:00.000Z' },
    ]);
  });

  it('counts in the time zone of the schedule', async () => {
    const berlin = { ...NIGHTLY, cron: '30 3 * * *', timezone: 'Europe/Berlin' };
    const kolkata = { ...NIGHTLY, cron: '30 3 * * *', timezone: 'Asia/Kolkata', name: 'other' };
    running = startSchedules([berlin, kolkata], { run: record, log: silentLogger });
    await advance(15_000);
    assert.deepEqual(
      actions.map(({ name }) => name),
      ['nightly'],
    );
  });

  it('logs a failing action and goes on', async () => {
    const lines: Record<string, unknown>[] = [];
    let runs = 0;
    const run = async (): Promise<void> => {
      if (++runs === 1) throw new Error('the store is away');
    };
    const often = { ...NIGHTLY, cron: '*/5 * * * * *' };
    running = startSchedules([often], { run, log: logInto(lines) });
    await advance(11_000);
    assert.equal(runs, 2);
    const messages = lines.map(({ msg, reason }) => [msg, reason]);
    assert.deepEqual(messages, [
      ['schedule failed', 'the store is away'],
      ['schedule carried out', undefined],
    ]);
    assert.equal(lines[0]!.schedule, 'nightly');
  });

  it('leaves out a run while the one before is under way', async () => {
    const lines: Record<string, unknown>[] = [];
    let finish = (): void => {};
    let runs = 0;
    const run = (): Promise<void> => {
      runs++;
      return new Promise((resolve) => {
        finish = resolve;
      });
    };
    running = startSchedules([{ ...NIGHTLY, cron: '*/5 * * * * *' }], { run, log: logInto(lines) });
    await advance(16_000);
    assert.equal(runs, 1);
    assert.match(String(lines[0]!.msg), /overlap/);
    finish();
  });

  it('begins nothing after stop, and stop waits for what is under way', async () => {
    let finish = (): void => {};
    let runs = 0;
    const run = (): Promise<void> => {
      runs++;
      return new Promise((resolve) => {
        finish = resolve;
      });
    };
    running = startSchedules([{ ...NIGHTLY, cron: '*/5 * * * * *' }], { run, log: silentLogger });
    await advance(6000);
    assert.equal(runs, 1);
    let stopped = false;
    const stopping = running.stop().then(() => {
      stopped = true;
    });
    await advance(10_000);
    assert.equal(stopped, false);
    finish();
    await stopping;
    await advance(20_000);
    assert.equal(runs, 1);
  });
});
