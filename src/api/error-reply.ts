// error-reply.ts -- every error as the contract's body, and its HTTP status from one table

import type { FastifyReply, FastifyRequest } from 'fastify';
import { CodedError, type ErrorDetail, LocatedError } from '../base/errors.ts';

/** The body of every error reply. */
export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly details: readonly ErrorDetail[] };
}

/** The stable codes and their statuses; docs/errors.md explains each. */
export const ERROR_STATUS: Readonly<Record<string, number>> = {
  invalid: 400,
  invalid_json: 400,
  invalid_config: 400,
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  unknown_service: 404,
  unknown_instance: 404,
  unknown_check: 404,
  unknown_policy: 404,
  unknown_rollout: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  id_taken: 409,
  already_registered: 409,
  read_only: 409,
  rollout_over: 409,
  conflict: 409,
  event_gone: 410,
  precondition_failed: 412,
  too_large: 413,
  batch_too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  headers_too_large: 431,
  internal: 500,
  not_supported: 501,
  store_unavailable: 503,
  store_closed: 503,
  stopping: 503,
};

const RETRY_AFTER_SECONDS = 1;

/** Errors that fastify itself throws and that a client can cause. */
const FROM_FASTIFY: Readonly<Record<string, () => CodedError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => new CodedError('too_large', 'the body is larger than this server takes'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => new CodedError('unsupported_media_type', 'the body must be application/json'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new CodedError('bad_request', 'the body is not as long as its Content-Length says'),
  FST_ERR_BAD_URL: () => new CodedError('bad_request', 'the path is not validly percent-encoded'),
  FST_ERR_MAX_PARAM_LENGTH: () => new CodedError('bad_request', 'a part of the path is too long'),
};

/** The body for a code. */
export function errorBody(code: string, message: string, details: readonly ErrorDetail[] = []): ErrorBody {
  return { error: { code, message, details } };
}

/** Answer with whatever was thrown. What is nobody's fault but ours is logged and told to nobody. */
export function sendError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toCodedError(thrown);
  const status = error === undefined ? 500 : ERROR_STATUS[error.code]!;
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="rollcall"');
  if (status === 429 || status === 503) reply.header('retry-after', String(RETRY_AFTER_SECONDS));
  // Nobody waits for the rest of a body that will not be used.
  if (!request.raw.complete) closeAfter(reply);
  if (error === undefined)
    request.log.error({ err: thrown, method: request.method, url: request.url }, 'request failed');
  const body = error === undefined ? internalError() : errorBody(error.code, error.message, error.details);
  return reply.code(status).type('application/json; charset=utf-8').serializer(JSON.stringify).send(body);
}

/** Hang up when the reply is sent. HTTP/2 has no header for that: its listener ends streams and connections itself. */
export function closeAfter(reply: FastifyReply): void {
  if (reply.request.raw.httpVersionMajor < 2) reply.header('connection', 'close');
}

function internalError(): ErrorBody {
  return errorBody('internal', 'something went wrong here; the log of the server says what');
}

/** The error as a code that the table knows; undefined for a fault of our own. */
function toCodedError(thrown: unknown): CodedError | undefined {
  if (thrown instanceof LocatedError) {
    const details = thrown.problems.map(({ file, line, column, message }) => ({
      path: line > 0 ? `${file}:${line}:${column}` : file,
      message,
    }));
    return new CodedError(
      'invalid_config',
      'the configuration or a zone file has errors; nothing was changed',
      details,
    );
  }
  if (thrown instanceof CodedError) return Object.hasOwn(ERROR_STATUS, thrown.code) ? thrown : undefined;
  if (!(thrown instanceof Error)) return undefined;
  const { code, statusCode } = thrown as { code?: string; statusCode?: number };
  if (code !== undefined && Object.hasOwn(FROM_FASTIFY, code)) return FROM_FASTIFY[code]!();
  if (code === 'ECONNRESET') return new CodedError('bad_request', 'the request broke off');
  // What the plugin that serves /docs makes of malformed file names.
  if (statusCode === 404) return new CodedError('not_found', 'there is nothing at this path');
  return statusCode === 400 || statusCode === 403 ? new CodedError('bad_request', 'malformed request') : undefined;
}
