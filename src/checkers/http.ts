// http.ts -- the http check: one request, no redirects, a bounded part of the body
//
// The connection is opened by dial.ts to an address that was judged, and kept for the next probe of the same check
// where that may be (http-request.ts).

import { STATUS_CODES } from 'node:http';
import type { CheckSpec, ProbeResult } from '../health/check-spec.ts';
import type { Checker, ProbeTarget } from '../health/checker.ts';
import { OUTPUT_LIMIT_BYTES } from '../health/probe-output.ts';
import { dial, dialTls } from './dial.ts';
import { HttpConnection } from './http-connection.ts';
import { judgeAnswer } from './http-expectation.ts';
import { type PreparedRequest, prepareRequest } from './http-request.ts';
import type { HttpResponse } from './http-response.ts';
import { IDLE_LIMIT_MS, KeptConnections } from './kept-connections.ts';
import { type Finding, ProbeRuns } from './probe-runs.ts';
import type { ProbeSignal } from './probe-signal.ts';
import { type ProbeOptions, Resolver } from './resolver.ts';

/** Probes `type: http` checks. */
export class HttpChecker implements Checker {
  readonly #allowExec: boolean;
  readonly #resolver: Resolver;
  readonly #runs = new ProbeRuns();
  readonly #connections = new KeptConnections<HttpConnection>();
  /** Specs are immutable, so what is derived from one lives as long as it does. */
  readonly #requests = new WeakMap<CheckSpec, PreparedRequest | Error>();

  constructor(options: ProbeOptions) {
    this.#allowExec = options.allowExec;
    this.#resolver = new Resolver(options);
  }

  probe(target: ProbeTarget): Promise<ProbeResult> {
    const { check } = target;
    const request = this.#requestOf(check);
    const label = request instanceof Error ? 'HTTP' : request.label;
    return this.#runs.run(label, check.timeoutMs, async (signal) => {
      if (request instanceof Error) throw request;
      return await this.#ask(target, request, signal);
    });
  }

  async close(): Promise<void> {
    this.#runs.close();
    this.#connections.close();
  }

  #ask(target: ProbeTarget, request: PreparedRequest, signal: ProbeSignal): Promise<Finding> {
    const open = async (): Promise<HttpConnection> => {
      const { host, port, isTls } = request;
      const addresses = await this.#resolver.permitted(host, port);
      const tls = isTls ? dialTls(target, this.#allowExec) : undefined;
      return new HttpConnection(
        await dial({ host, port, addresses, tls, protocol: 'http/1.1' }, signal),
        IDLE_LIMIT_MS,
      );
    };
    return this.#connections.use(target, signal, open, async (connection) => {
      const response = await connection.exchange(request.octets, request.reading, signal);
      return { result: describe(request, response), isReusable: request.isRepeatable && response.isReusable };
    });
  }

  #requestOf(check: CheckSpec): PreparedRequest | Error {
    let request = this.#requests.get(check);
    if (request === undefined) {
      request = prepared(check);
      this.#requests.set(check, request);
    }
    return request;
  }
}

function prepared(check: CheckSpec): PreparedRequest | Error {
  try {
    return prepareRequest(check);
  } catch (thrown) {
    return thrown as Error;
  }
}

function describe(request: PreparedRequest, response: HttpResponse): Finding {
  const { outcome, reason, load } = judgeAnswer(request.expectation, response);
  const status = `${response.status} ${STATUS_CODES[response.status] ?? ''}`.trimEnd();
  const body = response.body.length === 0 ? '' : `, body: ${response.body.toString('utf8', 0, OUTPUT_LIMIT_BYTES)}`;
  let found = `${reason === '' ? '' : ` (${reason})`}${body}`;
  for (const secret of request.secrets) found = found.replaceAll(secret, '***');
  return { outcome, output: `${request.label}: ${status}${found}`, ...(load === undefined ? {} : { load }) };
}
