// cron-logger.ts -- the server's log for node-cron, whose own would write to the console, in colour

import type { Logger as CronLogger } from 'node-cron';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

/** `log` in the shape node-cron wants. */
export function toCronLogger(log: Logger): CronLogger {
  return {
    info: (message) => log.info(message),
    warn: (message) => log.warn(message),
    error: (message, error) => log.error({ reason: errorMessage(error ?? message) }, 'schedule'),
    debug: (message) => log.debug(String(message)),
  };
}
