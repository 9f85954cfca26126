// intake.ts -- everything that is known of a request before an instance is picked for it

import type { ExchangeRecord } from './exchange-record.ts';
import type { RequestHead } from './request-head.ts';
import type { ForwardedHeaders } from './request-headers.ts';
import type { RouteRun } from './route-run.ts';
import type { StickyAsker } from './sticky.ts';

export interface Intake {
  readonly head: RequestHead;
  readonly run: RouteRun;
  /** Path and query for the instance. */
  readonly target: string;
  readonly client: string;
  readonly asker: StickyAsker;
  readonly forwarded: ForwardedHeaders;
  /** Host is the address of the instance that is asked. */
  readonly isHostInstance: boolean;
  readonly beganMs: number;
}

/** What came of it. */
export type Outcome = Pick<
  ExchangeRecord,
  'instance' | 'status' | 'error' | 'attempts' | 'durationMs' | 'upstreamMs' | 'queuedMs' | 'received' | 'sent'
>;

export function recordOf({ run, head, client, forwarded }: Intake, outcome: Outcome): ExchangeRecord {
  return {
    route: run.route.name,
    service: run.route.service,
    instance: outcome.instance,
    method: head.method,
    target: head.target,
    host: head.authority.text,
    client,
    requestId: forwarded.requestId,
    protocol: head.protocol,
    status: outcome.status,
    error: outcome.error,
    attempts: outcome.attempts,
    durationMs: outcome.durationMs,
    upstreamMs: outcome.upstreamMs,
    queuedMs: outcome.queuedMs,
    received: outcome.received,
    sent: outcome.sent,
  };
}
