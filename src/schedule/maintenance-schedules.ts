// maintenance-schedules.ts -- switches maintenance on and off at the times of cron expressions, by node-cron

import { createTask, type ScheduledTask } from 'node-cron';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { toCronLogger } from './cron-logger.ts';

/** What to do: maintenance on or off, for one instance or for all of a service. */
export interface MaintenanceAction {
  /** Name of the schedule, for the reason that is shown. */
  readonly name: string;
  readonly maintenance: 'on' | 'off';
  readonly target: { readonly service: string } | { readonly instance: string };
}

/** When to do it. Expression and time zone must be valid (cron.ts). */
export interface MaintenanceSchedule extends MaintenanceAction {
  readonly cron: string;
  /** Undefined: the time zone of the process. */
  readonly timezone: string | undefined;
}

/** What the schedules are given. */
export interface ScheduleOptions {
  /** Carry out one action. A rejection is logged; the schedule goes on. */
  run(action: MaintenanceAction): Promise<void>;
  /** Is it this process that acts? Of several with the same schedules one does. By default it is. */
  readonly isOurs?: () => boolean;
  readonly log: Logger;
}

/** Running schedules. */
export interface RunningSchedules {
  /** No action begins after this; resolves when those under way have ended. */
  stop(): Promise<void>;
}

/**
 * Start all schedules. A run that is due while the one before is still under way is left out, and one that the process
 * slept through is not made up for: both are logged.
 */
export function startSchedules(schedules: readonly MaintenanceSchedule[], options: ScheduleOptions): RunningSchedules {
  const underWay = new Set<Promise<void>>();
  let stopped = false;
  const tasks = schedules.map((schedule) => {
    const log = options.log.child({ schedule: schedule.name });
    const act = async (): Promise<void> => {
      if (stopped || options.isOurs?.() === false) return;
      const run = runOnce(schedule, options, log);
      underWay.add(run);
      await run;
      underWay.delete(run);
    };
    return startTask(schedule, act, log);
  });
  return {
    async stop() {
      stopped = true;
      for (const task of tasks) await task.destroy();
      await Promise.all(underWay);
    },
  };
}

function startTask(schedule: MaintenanceSchedule, act: () => Promise<void>, log: Logger): ScheduledTask {
  const task = createTask(schedule.cron, act, {
    ...(schedule.timezone === undefined ? {} : { timezone: schedule.timezone }),
    noOverlap: true,
    logger: toCronLogger(log),
    // The server's listeners keep the process alive; a schedule alone has nothing to switch.
    unref: true,
  });
  void task.start();
  return task;
}

async function runOnce(schedule: MaintenanceSchedule, options: ScheduleOptions, log: Logger): Promise<void> {
  const { name, maintenance, target } = schedule;
  try {
    await options.run({ name, maintenance, target });
    log.info({ maintenance, ...target }, 'schedule carried out');
  } catch (thrown) {
    log.error({ maintenance, ...target, reason: errorMessage(thrown) }, 'schedule failed');
  }
}
