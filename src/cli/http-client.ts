// http-client.ts -- calls to the HTTP API of a running server, its errors as CodedError
//
// undici is loaded when it is called for: `rollcall serve` is not to wait for it.

import { CodedError, type ErrorDetail, errorMessage } from '../base/errors.ts';

/** Where the server is, and how to be let in. */
export interface ApiOptions {
  /** `http://127.0.0.1:8500`; `http://` may be left out. */
  readonly url: string;
  readonly token: string | undefined;
}

/** One call. */
export interface ApiCall {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string | number | readonly string[] | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 10 seconds. */
  readonly timeoutMs?: number;
}

/** A reply of status 2xx. */
export interface ApiReply {
  readonly status: number;
  /** Undefined when the reply has none. */
  readonly body: unknown;
  /** A header by its lower-case name. */
  header(name: string): string | undefined;
}

/** The address where a server listens that was not told otherwise. */
export const DEFAULT_URL = 'http://127.0.0.1:8500';

const TIMEOUT_MS = 10_000;
const MAX_REPLY_OCTETS = 256 * 1024 * 1024;

/** A client of one server. */
export class ApiClient {
  readonly url: string;
  readonly #token: string | undefined;

  /** Throws CodedError `usage` for an address or a token that cannot be. */
  constructor({ url, token }: ApiOptions) {
    const full = url.includes('://') ? url : `http://${url}`;
    const parsed = URL.canParse(full) ? new URL(full) : undefined;
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
      throw new CodedError('usage', `'${url}' is not the address of a server, like ${DEFAULT_URL}`);
    }
    if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
      throw new CodedError('usage', 'the token holds characters that no token has');
    }
    this.url = `${parsed.origin}${parsed.pathname.replace(/\/$/, '')}`;
    this.#token = token;
  }

  /**
   * Make one call. `path` must be encoded already. Throws the server's own error, or CodedError `unreachable`,
   * `timeout`, `bad_reply`.
   */
  async call(path: string, options: ApiCall = {}): Promise<ApiReply> {
    const { method = 'GET', body, query, timeoutMs = TIMEOUT_MS } = options;
    const deadline = AbortSignal.timeout(timeoutMs);
    const url = `${this.url}${path}${queryString(query ?? {})}`;
    let status: number;
    let text: string;
    let headers: Readonly<Record<string, string | string[] | undefined>>;
    try {
      const { request } = await import('undici');
      const response = await request(url, {
        method,
        headers: {
          accept: 'application/json',
          ...this.#authorization(),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...options.headers,
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: deadline,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      ({ statusCode: status, headers } = response);
      text = await readText(response.body);
    } catch (thrown) {
      throw this.#failure(thrown, deadline.aborted, timeoutMs);
    }
    const value = text === '' ? undefined : parseReply(text, this.url);
    if (status < 200 || status > 299) throw toError(status, value, this.url);
    return { status, body: value, header: (name) => [headers[name]].flat()[0] };
  }

  /**
   * The octets of a reply that goes on for as long as the server likes. Throws as `call` does, while they are read
   * too; `silenceMs` without any is a CodedError `unreachable`.
   */
  async stream(
    path: string,
    options: Pick<ApiCall, 'query' | 'headers'> & { readonly silenceMs: number },
  ): Promise<AsyncIterable<Uint8Array>> {
    const { query, headers, silenceMs } = options;
    const failure = (thrown: unknown): CodedError => this.#failure(thrown, false, silenceMs);
    try {
      const { request } = await import('undici');
      const response = await request(`${this.url}${path}${queryString(query ?? {})}`, {
        headers: { ...this.#authorization(), ...headers },
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: silenceMs,
      });
      const { statusCode: status, body } = response;
      if (status === 200) return rethrowing(body, failure);
      throw toError(status, parseReply(await readText(body), this.url), this.url);
    } catch (thrown) {
      throw failure(thrown);
    }
  }

  #authorization(): Record<string, string> {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
  }

  #failure(thrown: unknown, isLate: boolean, timeoutMs: number): CodedError {
    if (thrown instanceof CodedError) return thrown;
    if (isLate) return new CodedError('timeout', `${this.url} has not answered within ${timeoutMs / 1000} seconds`);
    const code = (thrown as NodeJS.ErrnoException).code ?? '';
    const reason = REASONS[code] ?? (errorMessage(thrown) || code);
    const hint = 'is the server running? --http or ROLLCALL_HTTP says where it is';
    return new CodedError('unreachable', `cannot reach ${this.url}: ${reason} (${hint})`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  ECONNRESET: 'the connection was broken off',
  UND_ERR_SOCKET: 'the connection was broken off',
  UND_ERR_BODY_TIMEOUT: 'nothing comes any more',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
};

/** Was the server away or out of reach, rather than of another opinion? */
export function isCut(thrown: unknown): boolean {
  return thrown instanceof CodedError && ['unreachable', 'timeout', 'stopping', 'rate_limited'].includes(thrown.code);
}

async function* rethrowing(
  octets: AsyncIterable<Uint8Array>,
  failure: (thrown: unknown) => CodedError,
): AsyncGenerator<Uint8Array> {
  try {
    yield* octets;
  } catch (thrown) {
    throw failure(thrown);
  }
}

function queryString(query: NonNullable<ApiCall['query']>): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const each of [value].flat()) parameters.append(key, String(each));
  }
  return parameters.size === 0 ? '' : `?${parameters}`;
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of body) {
    octets += chunk.length;
    if (octets > MAX_REPLY_OCTETS) throw new CodedError('bad_reply', 'the reply is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseReply(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CodedError('bad_reply', `${url} answers something else than JSON: is it a Rollcall server?`);
  }
}

function toError(status: number, value: unknown, url: string): CodedError {
  const error = (value as { error?: { code?: unknown; message?: unknown; details?: unknown } } | undefined)?.error;
  if (typeof error?.code !== 'string' || typeof error.message !== 'string') {
    return new CodedError('bad_reply', `${url} answers with status ${status} and no reason: is it a Rollcall server?`);
  }
  const details = Array.isArray(error.details) ? error.details.filter(isDetail) : [];
  return new CodedError(error.code, error.message, details);
}

function isDetail(value: unknown): value is ErrorDetail {
  const detail = value as Partial<ErrorDetail> | null;
  return typeof detail?.path === 'string' && typeof detail.message === 'string';
}

/** A part of a path, encoded. */
export function pathPart(text: string): string {
  // `.` and `..` would be taken out of the path by every URL parser on the way.
  if (/^\.{1,2}$/.test(text)) throw new CodedError('usage', `'${text}' cannot be a name or an id`);
  return encodeURIComponent(text);
}
