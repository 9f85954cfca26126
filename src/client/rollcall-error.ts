// rollcall-error.ts -- what goes wrong between a program and the server, with a code that the program may rely on

import type { ErrorDetail } from '../base/errors.ts';

/** What is known of an error besides its code and message. */
export interface RollcallErrorOptions {
  /** HTTP status of the reply; 0 (the default): there was none. */
  readonly status?: number;
  readonly details?: readonly ErrorDetail[];
  readonly cause?: unknown;
}

/**
 * Every error of this library is one. `code` is the server's (docs/errors.md), or one of the library's own, with status
 * 0: `unreachable`, `timeout`, `aborted`, `closed`, `bad_reply`, `no_instance`, `not_ready`, `invalid`, `no_token`,
 * `listener_failed`.
 */
export class RollcallError extends Error {
  override readonly name = 'RollcallError';
  readonly code: string;
  /** HTTP status of the reply; 0: there was none. */
  readonly status: number;
  /** Every problem that the server found in what was sent, each with its place. */
  readonly details: readonly ErrorDetail[];

  constructor(code: string, message: string, { status = 0, details = [], cause }: RollcallErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
    this.details = details;
  }
}

/** Anything that was thrown as a RollcallError. */
export function toRollcallError(thrown: unknown): RollcallError {
  if (thrown instanceof RollcallError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new RollcallError('unreachable', message, { cause: thrown });
}

/** May the same call succeed later, without anybody changing what is sent? */
export function isTransient({ code, status }: RollcallError): boolean {
  if (status === 0) return ['unreachable', 'timeout', 'bad_reply', 'no_token'].includes(code);
  return status === 408 || status === 429 || (status >= 500 && status !== 501) || code === 'conflict';
}

/** Could another server of the same cluster do better at once? */
export function isElsewhereBetter({ code, status }: RollcallError): boolean {
  return (status === 0 && (code === 'unreachable' || code === 'timeout')) || status === 503;
}
