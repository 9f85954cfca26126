// check-schedules.ts -- fires checks at the times of cron expressions, by node-cron
//
// A task of node-cron costs a fifth of a millisecond to make and some KiB to keep, so checks that are due at the same
// times share one.

import { createTask, type ScheduledTask } from 'node-cron';
import type { Timer } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { toCronLogger } from './cron-logger.ts';

/** When a check is due. Both must be valid (health/cron.ts). */
export interface CheckSchedule {
  readonly schedule: string;
  /** Undefined: the time zone of the process. */
  readonly timezone?: string | undefined;
}

interface Running {
  readonly task: ScheduledTask;
  readonly callbacks: Set<() => void>;
}

/** Runs the schedules of all checks. */
export class CheckSchedules {
  readonly #log: Logger;
  readonly #running = new Map<string, Running>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Expressions that differ, with their time zones. */
  get size(): number {
    return this.#running.size;
  }

  /**
   * Call `fire` at the times of `schedule` until the timer is cancelled. A schedule that cannot be followed is logged and
   * never fires. `fire` must not throw.
   */
  start({ schedule, timezone }: CheckSchedule, fire: () => void): Timer {
    const key = JSON.stringify([schedule, timezone ?? null]);
    const running = this.#running.get(key) ?? this.#begin(key, schedule, timezone);
    if (running === undefined) return { cancel: () => {} };
    // A function of our own: the same `fire` may be started twice.
    const callback = () => fire();
    running.callbacks.add(callback);
    return { cancel: () => this.#leave(key, running, callback) };
  }

  /** Nothing fires any more. */
  stop(): void {
    for (const { task, callbacks } of this.#running.values()) {
      callbacks.clear();
      void task.destroy();
    }
    this.#running.clear();
  }

  #begin(key: string, schedule: string, timezone: string | undefined): Running | undefined {
    const callbacks = new Set<() => void>();
    const fireAll = () => {
      // One of them may cancel another.
      for (const callback of [...callbacks]) if (callbacks.has(callback)) callback();
    };
    try {
      const task = createTask(schedule, fireAll, {
        ...(timezone === undefined ? {} : { timezone }),
        logger: toCronLogger(this.#log.child({ schedule })),
        // The server's listeners keep the process alive.
        unref: true,
      });
      void task.start();
      const running = { task, callbacks };
      this.#running.set(key, running);
      return running;
    } catch (thrown) {
      this.#log.error({ schedule, reason: errorMessage(thrown) }, 'a check has a schedule that cannot be followed');
      return undefined;
    }
  }

  #leave(key: string, running: Running, callback: () => void): void {
    if (!running.callbacks.delete(callback) || running.callbacks.size > 0) return;
    void running.task.destroy();
    if (this.#running.get(key) === running) this.#running.delete(key);
  }
}
