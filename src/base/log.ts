// log.ts -- structured logs by pino: JSON lines, so that no field can forge a line

import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';

/** What the rest of the program logs through. */
export type Logger = PinoLogger;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A logger that writes JSON lines to `destination` (default: standard output). */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** A logger that says nothing, for tests and one-shot commands. */
export const silentLogger: Logger = pino({ level: 'silent' });
