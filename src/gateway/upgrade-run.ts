// upgrade-run.ts -- a request for another protocol: an instance is picked for it, and it counts until its connection ends

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { CodedError } from '../base/errors.ts';
import type { ExchangeHost } from './exchange-host.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { type Intake, recordOf } from './intake.ts';
import { outcomeOf } from './outliers.ts';
import { refuse, statusOf } from './refusal.ts';
import { HOST_VALUE } from './request-headers.ts';
import type { QueuePlace, Waiting } from './request-queue.ts';
import { type ReplyAdditions, serverTiming } from './response-headers.ts';
import type { Picked } from './route-run.ts';
import type { TunnelEnd } from './tunnel.ts';
import type { UpgradeExchange, UpgradeListener } from './upgrade.ts';
import { plainReply } from './upgrade-reply.ts';

export interface UpgradeStart extends Intake {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly exchange: UpgradeExchange;
}

/** Instances that are asked when some fail. */
const MAX_ATTEMPTS = 5;

export class UpgradeRun implements UpgradeListener, Waiting {
  readonly #host: ExchangeHost;
  readonly #start: UpgradeStart;
  readonly #ended: (record: ExchangeRecord) => void;
  #picked: Picked | undefined;
  #place: QueuePlace | undefined;
  readonly #tried: string[] = [];
  #instance: string | undefined;
  #attempts = 0;
  #retries = 0;
  #attemptMs = 0;
  #upstreamMs: number | undefined;
  #queuedSinceMs = 0;
  #queuedMs = 0;
  #status = 499;
  #error: string | undefined;
  #received = 0;
  #sent = 0;
  #isTold = false;

  /** `ended` is called once. */
  constructor(host: ExchangeHost, start: UpgradeStart, ended: (record: ExchangeRecord) => void) {
    this.#host = host;
    this.#start = start;
    this.#ended = ended;
    start.socket.once('close', () => this.#closed());
  }

  begin(): void {
    const { run, beganMs } = this.#start;
    run.budget.request(beganMs);
    if (run.queue.size > 0) this.#wait();
    else this.#choose();
  }

  takePlace(): boolean {
    const { run, asker } = this.#start;
    const picked = run.pick(asker, this.#tried);
    if (picked === 'full') return false;
    this.#leaveQueue();
    if (picked === 'none') this.#refuse('no_instance', `no instance of ${run.route.service} can take requests`);
    else this.#ask(picked);
    return true;
  }

  waitedTooLong(): void {
    this.#leaveQueue();
    this.#refuse('queue_timeout', 'no instance had room in time');
  }

  failed(error: CodedError, isSafe: boolean): void {
    const failing = this.#picked;
    this.#release();
    if (failing === undefined || this.#start.socket.destroyed) return;
    const { run } = this.#start;
    const nowMs = this.#host.clock.monotonicMs();
    failing.upstream.load.errors++;
    run.watch?.note(failing.id, 'failure', nowMs);
    this.#tried.push(failing.id);
    const mayTry = isSafe && this.#attempts < MAX_ATTEMPTS && this.#leftMs(nowMs) > 0;
    const next =
      mayTry && this.#retries < run.route.retries.attempts ? run.pick(this.#start.asker, this.#tried) : 'none';
    if (typeof next === 'string' || !run.budget.take(nowMs)) {
      this.#refuse(error.code, 'no instance replied to the request for another protocol');
      return;
    }
    this.#retries++;
    this.#ask(next);
  }

  replied(status: number): void {
    this.#status = status;
    const picked = this.#picked;
    if (picked === undefined) return;
    const nowMs = this.#host.clock.monotonicMs();
    this.#upstreamMs = nowMs - this.#attemptMs;
    const { load } = picked.upstream;
    load.sample(this.#upstreamMs, nowMs);
    const outcome = outcomeOf(status);
    if (outcome !== 'success') load.errors++;
    this.#start.run.watch?.note(picked.id, outcome, nowMs);
  }

  ended({ received, sent }: TunnelEnd): void {
    this.#received = received;
    this.#sent = sent;
    this.#release();
    if (this.#start.socket.destroyed) this.#tell();
  }

  #choose(): void {
    const { run, asker } = this.#start;
    const picked = run.pick(asker, undefined);
    if (picked === 'full') this.#wait();
    else if (picked === 'none') this.#refuse('no_instance', `no instance of ${run.route.service} can take requests`);
    else this.#ask(picked);
  }

  #wait(): void {
    this.#queuedSinceMs = this.#host.clock.monotonicMs();
    this.#place = this.#start.run.queue.join(this, this.#queuedSinceMs);
    if (this.#place === undefined) this.#refuse('queue_full', 'too many requests wait for an instance already');
  }

  #leaveQueue(): void {
    if (this.#place === undefined) return;
    this.#start.run.queue.leave(this.#place);
    this.#place = undefined;
    this.#queuedMs += this.#host.clock.monotonicMs() - this.#queuedSinceMs;
  }

  #ask(picked: Picked): void {
    const { run, target, forwarded, exchange } = this.#start;
    const { upstream, id } = picked;
    this.#picked = picked;
    this.#instance = id;
    this.#attempts++;
    this.#attemptMs = this.#host.clock.monotonicMs();
    upstream.takePlace();
    upstream.load.requests++;
    upstream.load.begin();
    if (this.#start.isHostInstance) forwarded.headers[HOST_VALUE] = upstream.authority;
    const attempt = {
      place: upstream.place,
      target,
      headers: forwarded.headers,
      timeoutMs: Math.max(0, this.#leftMs(this.#attemptMs)),
      idleTimeoutMs: run.route.idleTimeoutMs,
      additions: () => this.#additions(),
    };
    exchange.attempt(attempt, this);
  }

  #leftMs(nowMs: number): number {
    return this.#start.beganMs + this.#start.run.route.timeoutMs - nowMs;
  }

  #additions(): ReplyAdditions {
    const { head, forwarded, asker, beganMs } = this.#start;
    const host = this.#host;
    const nowMs = host.clock.monotonicMs();
    return {
      requestId: forwarded.requestId,
      pseudonym: host.pseudonym,
      timing: host.isTimed(head) ? serverTiming(nowMs - beganMs, nowMs - this.#attemptMs, this.#attempts) : undefined,
      setCookie: asker.setCookie,
      takesTrailers: false,
    };
  }

  #refuse(code: string, message: string): void {
    this.#error = code;
    this.#status = statusOf(code);
    const { request, socket, forwarded } = this.#start;
    const response = plainReply(request, socket);
    if (response === undefined) return;
    this.#sent = refuse(response, { code, message, requestId: forwarded.requestId, isLast: true });
  }

  /** The place at the instance, exactly once. */
  #release(): void {
    const picked = this.#picked;
    this.#picked = undefined;
    if (picked === undefined) return;
    picked.upstream.load.end();
    picked.upstream.givePlaceBack();
  }

  #closed(): void {
    this.#leaveQueue();
    // A tunnel tells how much went through it when both of its sockets are closed.
    if (this.#picked === undefined || this.#status !== 101) this.#tell();
  }

  #tell(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#release();
    const outcome = {
      instance: this.#instance,
      status: this.#status,
      error: this.#error,
      attempts: this.#attempts,
      durationMs: this.#host.clock.monotonicMs() - this.#start.beganMs,
      upstreamMs: this.#upstreamMs,
      queuedMs: this.#queuedMs,
      received: this.#received,
      sent: this.#sent,
    };
    this.#ended(recordOf(this.#start, outcome));
  }
}
