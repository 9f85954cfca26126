// http.ts -- the http check: one request, no redirects, at most 4 KiB of body
//
// A connection is opened by dial.ts to an address that was judged, and handed to an undici Client of its own. When
// it may be used again it is parked until the next probe of the same check. Only connections to literal addresses are
// parked: a name is resolved anew for every probe, or a check would go on asking a machine the name has left.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Client, type Dispatcher } from 'undici';
import { parseIp } from '../base/ip.ts';
import type { CheckSpec, ProbeResult } from '../health/check-spec.ts';
import type { Checker, ProbeTarget } from '../health/checker.ts';
import { OUTPUT_LIMIT_BYTES } from '../health/probe-output.ts';
import { dial } from './dial.ts';
import { judgeAnswer, type PreparedExpectation, prepareExpectation } from './http-expectation.ts';
import { type Finding, ProbeRefusal, ProbeRuns } from './probe-runs.ts';
import { Resolver, type ResolverOptions } from './resolver.ts';

/** Probes `type: http` checks. */
export class HttpChecker implements Checker {
  readonly #resolver: Resolver;
  readonly #runs = new ProbeRuns();
  /** Idle connections by check and destination; each removes itself when it is closed. */
  readonly #parked = new Map<string, Line>();
  /** Specs are immutable, so what is derived from one lives as long as it does. */
  readonly #plans = new WeakMap<CheckSpec, RequestPlan>();

  constructor(options: ResolverOptions) {
    this.#resolver = new Resolver(options);
  }

  probe(target: ProbeTarget): Promise<ProbeResult> {
    const { check } = target;
    const label = `HTTP ${check.method ?? 'GET'} ${displayUrl(check.url)}`;
    return this.#runs.run(label, check.timeoutMs, (signal) => this.#ask(target, label, signal));
  }

  async close(): Promise<void> {
    this.#runs.close();
    const idle = [...this.#parked.values()];
    this.#parked.clear();
    idle.forEach(hangUp);
  }

  async #ask(target: ProbeTarget, label: string, signal: AbortSignal): Promise<Finding> {
    const plan = this.#planOf(target.check);
    const key = JSON.stringify([target.instanceId, target.check.id, plan.origin, target.check.tls ?? null]);
    const idle = this.#parked.get(key);
    if (idle !== undefined) {
      this.#parked.delete(key);
      try {
        return await this.#exchange(idle, key, plan, label, signal);
      } catch (thrown) {
        // The server may close an idle connection in the very moment it is used again. That says nothing about its
        // health, so a fresh connection decides; parked ones only ever carry requests that may be repeated.
        if (signal.aborted || !isConnectionLoss(thrown)) throw thrown;
      }
    }
    const addresses = await this.#resolver.permitted(plan.host, plan.port);
    const tls = plan.isTls ? { tls: target.check.tls ?? {} } : {};
    const socket = await dial({ host: plan.host, port: plan.port, addresses, ...tls }, signal);
    const line = lineOn(socket, plan.origin);
    socket.once('close', () => {
      if (this.#parked.get(key) === line) this.#parked.delete(key);
      hangUp(line);
    });
    return this.#exchange(line, key, plan, label, signal);
  }

  async #exchange(line: Line, key: string, plan: RequestPlan, label: string, signal: AbortSignal): Promise<Finding> {
    let reusable = false;
    try {
      const answer = await line.client.request({ ...plan.request, signal });
      const body = await readStart(answer.body);
      reusable = plan.reuse && body.isWhole && !signal.aborted;
      return describe(plan, label, answer, body.text);
    } finally {
      if (reusable) this.#park(key, line);
      else hangUp(line);
    }
  }

  #park(key: string, line: Line): void {
    if (line.socket.destroyed || this.#parked.has(key)) {
      hangUp(line);
      return;
    }
    this.#parked.set(key, line);
  }

  #planOf(check: CheckSpec): RequestPlan {
    let plan = this.#plans.get(check);
    if (plan === undefined) {
      plan = planRequest(check);
      this.#plans.set(check, plan);
    }
    return plan;
  }
}

/** All that can be worked out before the first probe. */
interface RequestPlan {
  readonly origin: string;
  /** Without brackets around an IPv6 address. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** May the connection serve the next probe as well? */
  readonly reuse: boolean;
  readonly request: Dispatcher.RequestOptions;
  readonly expectation: PreparedExpectation;
  /** Texts that must not show up in the output even when the server echoes them. */
  readonly secrets: readonly string[];
}

function planRequest(check: CheckSpec): RequestPlan {
  if (check.url === undefined || !URL.canParse(check.url)) throw new Error('the check has no valid url');
  const url = new URL(check.url);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ProbeRefusal('an http check takes http: and https: URLs only');
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const method = check.method ?? 'GET';
  const reuse = parseIp(host) !== undefined && method !== 'POST' && check.intervalMs < IDLE_LIMIT_MS;
  const credentials = basicCredentials(url);
  const headers: Record<string, string> = { 'user-agent': 'rollcall-check', accept: '*/*' };
  if (credentials !== undefined) headers.authorization = credentials;
  for (const [name, value] of Object.entries(check.headers ?? {})) headers[name.toLowerCase()] = value;
  return {
    origin: url.origin,
    host,
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
    isTls: url.protocol === 'https:',
    reuse,
    request: {
      path: `${url.pathname}${url.search}`,
      method,
      headers,
      body: check.body ?? null,
      reset: !reuse,
      // The probe's own deadline is exact; undici's timers are coarse and would only get in its way.
      headersTimeout: 0,
      bodyTimeout: 0,
    },
    expectation: prepareExpectation(check.expect),
    secrets: secretsOf(headers, url),
  };
}

function basicCredentials(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

const SECRET_HEADER = /auth|cookie|token|key|secret|pass|session/;

function secretsOf(headers: Readonly<Record<string, string>>, url: URL): readonly string[] {
  const texts = Object.entries(headers)
    .filter(([name]) => SECRET_HEADER.test(name))
    .flatMap(([, value]) => [value, value.slice(value.indexOf(' ') + 1)]);
  const password = url.password === '' ? [] : [url.password, decodeURIComponent(url.password)];
  return [...texts, ...password].filter((text) => text !== '').sort((a, b) => b.length - a.length);
}

/** The URL for people: without credentials, and without a query, which may hold some too. */
function displayUrl(text: string | undefined): string {
  if (text === undefined || !URL.canParse(text)) return '(no valid url)';
  const url = new URL(text);
  return `${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?...'}`;
}

/** Longest time a connection waits for its next probe. */
const IDLE_LIMIT_MS = 65_000;

/** A connection and the Client that speaks HTTP on it. */
interface Line {
  readonly socket: Socket;
  readonly client: Client;
}

/** A Client for exactly this connection: when it is lost there is no other. */
function lineOn(socket: Socket, origin: string): Line {
  let handedOut = false;
  const client = new Client(origin, {
    keepAliveTimeout: IDLE_LIMIT_MS,
    keepAliveMaxTimeout: IDLE_LIMIT_MS,
    maxHeaderSize: 16_384,
    // undici does not expect to be called back before this returns: its queue would then not move.
    connect: (_, callback) =>
      queueMicrotask(() => {
        if (handedOut || socket.destroyed) return callback(new ConnectionLost('the connection was closed'), null);
        handedOut = true;
        callback(null, socket);
      }),
  });
  return { socket, client };
}

function hangUp({ socket, client }: Line): void {
  socket.destroy();
  client.destroy().catch(() => {});
}

class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

const LOSS_CODES: readonly unknown[] = ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'];

function isConnectionLoss(thrown: unknown): boolean {
  if (thrown instanceof ConnectionLost) return true;
  return thrown instanceof Error && 'code' in thrown && LOSS_CODES.includes(thrown.code);
}

interface BodyStart {
  readonly text: string;
  readonly isWhole: boolean;
}

/** The first OUTPUT_LIMIT_BYTES of a body; leaving the loop early destroys the body, and with it the connection. */
async function readStart(body: AsyncIterable<Buffer>): Promise<BodyStart> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > OUTPUT_LIMIT_BYTES) break;
  }
  const start = Buffer.concat(chunks).subarray(0, OUTPUT_LIMIT_BYTES);
  return { text: start.toString('utf8'), isWhole: size <= OUTPUT_LIMIT_BYTES };
}

function describe(plan: RequestPlan, label: string, answer: Dispatcher.ResponseData, body: string): Finding {
  const { outcome, reason } = judgeAnswer(plan.expectation, answer.statusCode, body);
  const status = `${answer.statusCode} ${STATUS_CODES[answer.statusCode] ?? ''}`.trimEnd();
  let shown = body;
  for (const secret of plan.secrets) shown = shown.replaceAll(secret, '***');
  const output = `${label}: ${status}${reason === '' ? '' : ` (${reason})`}${shown === '' ? '' : `, body: ${shown}`}`;
  return { outcome, output };
}
