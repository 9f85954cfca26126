// api-calls.ts -- calls to the HTTP API of one server of several: tokens, deadlines, and the next one when one is away

import { setMaxListeners } from 'node:events';
import { Agent, type Dispatcher, request } from 'undici';
import type { ErrorDetail } from '../base/errors.ts';
import type { ClientOptions, ClientTls, TokenSource } from './client-options.ts';
import { Deadline } from './deadline.ts';
import { isElsewhereBetter, RollcallError } from './rollcall-error.ts';

/** One call. */
export interface ApiCall {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** With all its parts percent-encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the client's. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Code of an error with status 404 that is a reply like others: its headers matter. */
  readonly missing?: string;
}

/** A reply of status 2xx, or the 404 that was asked for. */
export interface ApiReply {
  readonly status: number;
  /** Undefined when there is none. */
  readonly body: unknown;
  /** By lower-case name. */
  header(name: string): string | undefined;
}

/** A reply that goes on. */
export interface ApiStream extends Pick<ApiReply, 'header'> {
  readonly octets: AsyncIterable<Uint8Array>;
}

type ReplyHeaders = Dispatcher.ResponseData['headers'];
type Response = Dispatcher.ResponseData;

const TIMEOUT_MS = 5000;
const MAX_REPLY_OCTETS = 256 * 1024 * 1024;
const TOKEN = /^[\x21-\x7e]+$/;

export class ApiCalls {
  readonly #urls: readonly string[];
  readonly #token: TokenSource | undefined;
  readonly #timeoutMs: number;
  readonly #agent: Agent;
  readonly #closing = new AbortController();
  /** Index of the server that is used. */
  #at = 0;
  #knownToken: string | undefined;

  /** Throws RollcallError `invalid` for an address or token that cannot be. */
  constructor({ url, token, tls, timeoutMs = TIMEOUT_MS }: ClientOptions) {
    this.#urls = [url ?? []].flat().map(normalUrl);
    this.#token = token;
    if (typeof token === 'string') checkToken(token);
    this.#timeoutMs = timeoutMs;
    setMaxListeners(0, this.closed);
    this.#agent = new Agent({
      keepAliveTimeout: 10_000,
      ...(tls === undefined ? {} : { connect: connectOptions(tls) }),
    });
  }

  /** The server that is used now. Throws RollcallError `invalid` where none was stated. */
  get url(): string {
    const url = this.#urls[this.#at];
    if (url === undefined) throw new RollcallError('invalid', 'the client was given no address of a server');
    return url;
  }

  /** Aborted when the client is closed. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** This server is stopping or silent: use the next one from now on. */
  leave(url: string): void {
    if (url === this.url) this.#at = (this.#at + 1) % this.#urls.length;
  }

  /**
   * Make one call, of each server in turn until one is there. Throws RollcallError: the server's own, or
   * `unreachable`, `timeout`, `aborted`, `closed`, `bad_reply`.
   */
  async call(call: ApiCall): Promise<ApiReply> {
    return await this.#anywhere(async (url) => {
      const { timeoutMs = this.#timeoutMs } = call;
      const deadline = new Deadline(timeoutMs, this.closed, call.signal);
      try {
        const response = await this.#send(url, call, deadline.signal, 0);
        const isRead = response.statusCode === 404;
        const body = isRead ? undefined : parseReply(await readText(response.body), url);
        return { status: response.statusCode, body, header: headerReader(response.headers) };
      } catch (thrown) {
        throw this.#failure(thrown, url, deadline, timeoutMs);
      } finally {
        deadline.end();
      }
    });
  }

  /** Open a reply that goes on; throws as `call` does, while it is read too. `silenceMs` without an octet end it. */
  async stream(call: ApiCall & { readonly silenceMs: number }): Promise<ApiStream> {
    return await this.#anywhere(async (url) => {
      const opening = new Deadline(this.#timeoutMs, this.closed, call.signal);
      const whole = new Deadline(undefined, opening.signal);
      try {
        const response = await this.#send(url, call, whole.signal, call.silenceMs);
        const octets = this.#octets(response.body, url, call);
        return { octets, header: headerReader(response.headers) };
      } catch (thrown) {
        throw this.#failure(thrown, url, opening, this.#timeoutMs);
      } finally {
        // The time is for the head only; the body has signals of its own.
        whole.end();
        opening.end();
      }
    });
  }

  /** End all calls; their callers hear `closed`. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#agent.destroy();
  }

  async *#octets(
    body: Response['body'],
    url: string,
    call: ApiCall & { silenceMs: number },
  ): AsyncGenerator<Uint8Array> {
    const deadline = new Deadline(undefined, this.closed, call.signal);
    const cut = (): void => void body.destroy();
    deadline.signal.addEventListener('abort', cut);
    body.on('error', () => {});
    if (deadline.signal.aborted) cut();
    try {
      yield* body as AsyncIterable<Uint8Array>;
      if (deadline.signal.aborted) throw new Error('aborted');
    } catch (thrown) {
      throw this.#failure(thrown, url, deadline, call.silenceMs);
    } finally {
      deadline.signal.removeEventListener('abort', cut);
      deadline.end();
      body.destroy();
    }
  }

  /** The servers in turn, beginning with the one used last. */
  async #anywhere<T>(attempt: (url: string) => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried++) {
      if (this.closed.aborted) throw closedError();
      const { url } = this;
      try {
        return await attempt(url);
      } catch (thrown) {
        if (!(thrown instanceof RollcallError) || !isElsewhereBetter(thrown)) throw thrown;
        this.leave(url);
        if (tried >= this.#urls.length) throw thrown;
      }
    }
  }

  /** Send, with another token when this one is refused. Throws the server's error for any status but 2xx. */
  async #send(url: string, call: ApiCall, signal: AbortSignal, silenceMs: number): Promise<Response> {
    for (let isSecond = false; ; isSecond = true) {
      const { method = 'GET', path, query = {}, body, headers } = call;
      const authorization = await this.#authorization(isSecond);
      signal.throwIfAborted();
      const response = await request(`${url}${path}${queryString(query)}`, {
        dispatcher: this.#agent,
        method,
        headers: {
          accept: 'application/json',
          ...authorization,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal,
        headersTimeout: 0,
        bodyTimeout: silenceMs,
      });
      if (response.statusCode >= 200 && response.statusCode <= 299) return response;
      const error = toError(response.statusCode, await readText(response.body), url);
      if (error.status === 404 && error.code === call.missing) return response;
      if (error.status !== 401 || isSecond || typeof this.#token !== 'function') throw error;
    }
  }

  async #authorization(refused: boolean): Promise<Record<string, string>> {
    if (this.#token === undefined) return {};
    if (typeof this.#token === 'string') return { authorization: `Bearer ${this.#token}` };
    if (this.#knownToken === undefined || refused) this.#knownToken = await freshToken(this.#token, refused);
    return { authorization: `Bearer ${this.#knownToken}` };
  }

  #failure(thrown: unknown, url: string, deadline: Deadline, timeoutMs: number): RollcallError {
    if (this.closed.aborted) return closedError();
    if (thrown instanceof RollcallError) return thrown;
    if (deadline.isLate) return new RollcallError('timeout', `${url} has not answered within ${timeoutMs} ms`);
    if (deadline.signal.aborted) return new RollcallError('aborted', 'the call was aborted', { cause: thrown });
    const code = (thrown as NodeJS.ErrnoException | undefined)?.code;
    const reason = (code === undefined ? undefined : REASONS[code]) ?? (thrown instanceof Error && thrown.message);
    return new RollcallError('unreachable', `cannot reach ${url}: ${reason || code || String(thrown)}`, {
      cause: thrown,
    });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'there is no such host',
  ECONNRESET: 'the connection was broken off',
  UND_ERR_SOCKET: 'the connection was broken off',
  UND_ERR_BODY_TIMEOUT: 'nothing comes any more',
};

function closedError(): RollcallError {
  return new RollcallError('closed', 'the client is closed');
}

function normalUrl(text: string): string {
  const full = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new RollcallError('invalid', `'${text}' is not the address of a server, like http://127.0.0.1:8500`);
  }
  return `${url.origin}${url.pathname.replace(/\/$/, '')}`;
}

async function freshToken(source: Exclude<TokenSource, string>, refused: boolean): Promise<string> {
  try {
    return checkToken(await source({ refused }));
  } catch (thrown) {
    if (thrown instanceof RollcallError) throw thrown;
    throw new RollcallError('no_token', `no token is to be had: ${String(thrown)}`, { cause: thrown });
  }
}

function checkToken(token: string): string {
  if (!TOKEN.test(token)) throw new RollcallError('invalid', 'the token holds characters that no token has');
  return token;
}

function connectOptions({ ca, cert, key, serverName }: ClientTls) {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

function queryString(query: NonNullable<ApiCall['query']>): string {
  const stated = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) stated.set(name, String(value));
  const text = stated.toString();
  return text === '' ? '' : `?${text}`;
}

function headerReader(headers: ReplyHeaders): (name: string) => string | undefined {
  return (name) => [headers[name]].flat()[0];
}

async function readText(octets: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of octets) {
    length += part.length;
    if (length > MAX_REPLY_OCTETS) throw new RollcallError('bad_reply', 'the reply is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function parseReply(text: string, url: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new RollcallError('bad_reply', `${url} did not reply with JSON: is it a Rollcall server?`);
  }
}

/** The server's error; what stands between us and it may say something else. */
function toError(status: number, text: string, url: string): RollcallError {
  let error: { code?: unknown; message?: unknown; details?: unknown } | undefined;
  try {
    error = JSON.parse(text).error;
  } catch {
    // Not from a Rollcall server.
  }
  const { code, message, details } = error ?? {};
  if (typeof code !== 'string')
    return new RollcallError('bad_reply', `${url} answered with status ${status}`, { status });
  return new RollcallError(code, String(message), {
    status,
    details: Array.isArray(details) ? (details as ErrorDetail[]) : [],
  });
}
