// grpc.ts -- the grpc check: grpc.health.v1.Health/Check over HTTP/2, plain or by TLS
//
// The connection is opened by dial.ts to an address that was judged. One to a literal address is kept for the next
// probe; a name is resolved anew for every probe, or a check would go on asking a machine that the name has left.

import { parseIp } from '../base/ip.ts';
import type { ProbeResult } from '../health/check-spec.ts';
import { parseGrpcUrl } from '../health/check-url.ts';
import type { Checker, ProbeTarget } from '../health/checker.ts';
import { dial, dialTls } from './dial.ts';
import { GrpcConnection, type GrpcReply } from './grpc-connection.ts';
import { decodeReply } from './grpc-health.ts';
import { IDLE_LIMIT_MS, isWorthKeeping, KeptConnections } from './kept-connections.ts';
import { type Finding, ProbeRuns } from './probe-runs.ts';
import { type ProbeOptions, Resolver } from './resolver.ts';

/** Probes `type: grpc` checks: `SERVING` is passing, everything else critical. */
export class GrpcChecker implements Checker {
  readonly #allowExec: boolean;
  readonly #resolver: Resolver;
  readonly #runs = new ProbeRuns();
  readonly #connections = new KeptConnections<GrpcConnection>();

  constructor(options: ProbeOptions) {
    this.#allowExec = options.allowExec;
    this.#resolver = new Resolver(options);
  }

  probe(target: ProbeTarget): Promise<ProbeResult> {
    const { check } = target;
    const url = parseGrpcUrl(check.url ?? '');
    const label = typeof url === 'string' ? 'GRPC' : `GRPC ${check.url}`;
    return this.#runs.run(label, check.timeoutMs, async (signal) => {
      if (typeof url === 'string') throw new Error(`the url ${url}`);
      const { host, port, isTls, service } = url;
      const open = async (): Promise<GrpcConnection> => {
        const addresses = await this.#resolver.permitted(host, port);
        const tls = isTls ? dialTls(target, this.#allowExec) : undefined;
        const socket = await dial({ host, port, addresses, tls, protocol: 'h2' }, signal);
        return new GrpcConnection(socket, IDLE_LIMIT_MS);
      };
      const isReusable = parseIp(host) !== undefined && isWorthKeeping(check);
      return await this.#connections.use(target, signal, open, async (connection) => {
        const reply = await connection.callHealth({ host, port, service, timeoutMs: check.timeoutMs }, signal);
        return { result: judge(reply, label), isReusable };
      });
    });
  }

  async close(): Promise<void> {
    this.#runs.close();
    this.#connections.close();
  }
}

/** Names of the codes one meets (grpc.github.io/grpc/core/md_doc_statuscodes.html). */
const CODES: Readonly<Record<string, string>> = {
  1: 'CANCELLED',
  2: 'UNKNOWN',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  7: 'PERMISSION_DENIED',
  8: 'RESOURCE_EXHAUSTED',
  12: 'UNIMPLEMENTED',
  13: 'INTERNAL',
  14: 'UNAVAILABLE',
  16: 'UNAUTHENTICATED',
};

/** Codes whose meaning is another than their name tells. */
const MEANINGS: Readonly<Record<string, string>> = {
  5: 'SERVICE_UNKNOWN, the server does not know the service',
  12: 'UNIMPLEMENTED, the server has no health service',
};

function judge({ headers, trailers, octets }: GrpcReply, label: string): Finding {
  const critical = (what: string): Finding => ({ outcome: 'critical', output: `${label}: ${what}` });
  // A reply of nothing but trailers has them in the place of its headers.
  const code = textOf(trailers['grpc-status'] ?? headers['grpc-status']);
  if (code === undefined) {
    const status = String(headers[':status'] ?? 'none');
    return critical(status === '200' ? 'the answer is not gRPC' : `HTTP status ${status}`);
  }
  if (code !== '0') {
    const message = textOf(trailers['grpc-message'] ?? headers['grpc-message']) ?? '';
    const name = MEANINGS[code] ?? CODES[code] ?? `gRPC status ${code.slice(0, 16)}`;
    return critical(`${name}${message === '' ? '' : `: ${unescapeMessage(message)}`}`);
  }
  const status = decodeReply(octets);
  return status === 'SERVING' ? { outcome: 'passing', output: `${label}: SERVING` } : critical(status);
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** Messages are percent-encoded (gRPC over HTTP/2, "Responses"); what is not is shown as it is. */
function unescapeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
