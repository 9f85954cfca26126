// exchange.ts -- one request of a client: attempts at instances until one replies, and the reply, streamed both ways
//
// Time runs in two ways. The deadline of the route holds until the head of the reply, from the head of the request or,
// where there is a body, from its end; while a body is under way, in either direction, silence is limited instead.

import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { Attempt, type AttemptListener } from './attempt.ts';
import { ClientReply } from './client-reply.ts';
import type { DeadlineQueue, Timed } from './deadline-queue.ts';
import type { ExchangeHost } from './exchange-host.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { IdleWatch } from './idle-watch.ts';
import { type Intake, recordOf } from './intake.ts';
import { dropLeftover } from './leftover-body.ts';
import type { Listed } from './listed.ts';
import { outcomeOf, type RequestOutcome } from './outliers.ts';
import { type Response, refuse, statusOf } from './refusal.ts';
import { closeWithConnection, isInLine } from './reply-line.ts';
import { type BodyListener, RequestBody } from './request-body.ts';
import type { RequestHead } from './request-head.ts';
import { HOST_VALUE } from './request-headers.ts';
import type { QueuePlace, Waiting } from './request-queue.ts';
import { isFinalStatus, replyHeaders, serverTiming } from './response-headers.ts';
import { Retries } from './retries.ts';
import type { Picked } from './route-run.ts';

export type Request = IncomingMessage | Http2ServerRequest;

export class Exchange implements AttemptListener, BodyListener, Listed, Waiting, Timed {
  index = -1;
  dueMs = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;
  queue: DeadlineQueue | undefined;
  readonly #host: ExchangeHost;
  readonly #request: Request;
  readonly #response: Response;
  readonly #start: Intake;
  readonly #reply: ClientReply;
  readonly #hasBody: boolean;
  readonly #retries: Retries;
  #attempt: Attempt | undefined;
  #body: RequestBody | undefined;
  #place: QueuePlace | undefined;
  #idle: IdleWatch | undefined;
  #instance: string | undefined;
  #attempts = 0;
  #received = 0;
  #status = 0;
  #error: string | undefined;
  #upstreamMs: number | undefined;
  #queuedSinceMs = 0;
  #queuedMs = 0;
  #isOver = false;

  constructor(host: ExchangeHost, request: Request, response: Response, start: Intake) {
    this.#host = host;
    this.#request = request;
    this.#response = response;
    this.#start = start;
    this.#reply = new ClientReply(response);
    this.#hasBody = hasBody(request, start.head);
    this.#retries = new Retries(start.run, start.asker, start.head.method, this.#hasBody);
    response.on('close', () => this.#closed());
    response.on('error', ignore);
    if (isInLine(response)) closeWithConnection(response, request.socket);
  }

  begin(): void {
    if (isClosed(this.#request)) {
      this.#closed();
      return;
    }
    const { run, beganMs } = this.#start;
    if (this.#hasBody && this.#request.readableDidRead) {
      this.#refuse('body_read', 'the body was read by somebody else before the gateway got the request');
      return;
    }
    run.deadlines.add(this, beganMs);
    run.budget.request(beganMs);
    // Whoever waits already goes first.
    if (run.queue.size > 0) this.#wait();
    else this.#choose();
  }

  /** End it now: the gateway stops. */
  cut(): void {
    if (this.#isOver) return;
    if (this.#reply.hasBegun) this.#cutReply('overloaded');
    else this.#refuse('overloaded', 'the gateway stops', true);
  }

  /** Its head goes out without the body, which may be long in coming. */
  flushHead(): void {
    if (this.#isOver || this.#reply.isEnded) return;
    if (this.#reply.isBare) this.#reply.flushHead();
    this.#watchIdle();
  }

  // --- picking and waiting

  #choose(): void {
    const picked = this.#retries.pick();
    if (picked === 'full') this.#wait();
    else this.#askOrRefuse(picked);
  }

  #askOrRefuse(picked: Picked | 'none'): void {
    if (picked !== 'none') this.#ask(picked, false);
    else if (this.#attempts > 0) this.#refuse('upstream_failed', 'no instance could be reached');
    else this.#refuse('no_instance', `no instance of ${this.#start.run.route.service} can take requests`);
  }

  #wait(): void {
    const nowMs = this.#host.clock.monotonicMs();
    this.#queuedSinceMs = nowMs;
    this.#place = this.#start.run.queue.join(this, nowMs);
    if (this.#place === undefined) this.#refuse('queue_full', 'too many requests wait for an instance already');
  }

  takePlace(): boolean {
    const picked = this.#retries.pick();
    if (picked === 'full') return false;
    this.#leaveQueue();
    this.#askOrRefuse(picked);
    return true;
  }

  waitedTooLong(): void {
    this.#leaveQueue();
    this.#refuse('queue_timeout', 'no instance had room in time');
  }

  #leaveQueue(): void {
    if (this.#place === undefined) return;
    this.#start.run.queue.leave(this.#place);
    this.#place = undefined;
    this.#queuedMs += this.#host.clock.monotonicMs() - this.#queuedSinceMs;
  }

  // --- attempts

  #ask({ id, upstream }: Picked, isFresh: boolean): void {
    const { head, target, forwarded } = this.#start;
    this.#attempts++;
    this.#instance = id;
    this.#body = this.#hasBody ? new RequestBody(this.#request, this) : undefined;
    if (this.#start.isHostInstance) forwarded.headers[HOST_VALUE] = upstream.authority;
    const isFirst = this.#attempts === 1 && this.#queuedSinceMs === 0;
    const nowMs = isFirst ? this.#start.beganMs : this.#host.clock.monotonicMs();
    this.#attempt = new Attempt(upstream, id, isFresh, this, nowMs);
    const { headers } = forwarded;
    this.#attempt.send({ method: head.method, path: target, headers, body: this.#body ?? null });
  }

  informed(status: number, raw: readonly Buffer[]): void {
    if (status === 103 && this.#start.head.protocol !== 'HTTP/1.0') this.#reply.hints(raw);
  }

  canReplyWith(status: number): boolean {
    return isFinalStatus(status) || this.#start.head.protocol !== 'HTTP/2';
  }

  replied(attempt: Attempt, status: number, raw: readonly Buffer[], phrase: string): boolean {
    const nowMs = this.#host.clock.monotonicMs();
    this.#upstreamMs = nowMs - attempt.startedMs;
    const outcome = outcomeOf(status);
    attempt.upstream.load.sample(this.#upstreamMs, nowMs, outcome !== 'success');
    this.#note(attempt, outcome, nowMs);
    const next = this.#retries.afterReply(attempt, status, nowMs);
    if (next !== undefined) {
      this.#ask(next, false);
      return false;
    }
    this.queue?.remove(this);
    this.#status = status;
    this.#reply.head(status, phrase, this.#headers(status, raw, nowMs));
    this.#host.flushSoon(this);
    return true;
  }

  bodyCame(chunk: Buffer): boolean {
    this.#idle?.touch();
    if (this.#reply.write(chunk)) return true;
    this.#response.once('drain', () => {
      this.#idle?.touch();
      this.#attempt?.resume();
    });
    return false;
  }

  attemptEnded(attempt: Attempt, trailers: readonly Buffer[]): void {
    if (attempt !== this.#attempt) return;
    this.#attempt = undefined;
    this.#reply.end(trailers);
    if (this.#reply.isHeldUp) this.#watchIdle();
    else this.#stopIdle();
  }

  attemptFailed(attempt: Attempt, error: Error): void {
    if (attempt !== this.#attempt) return;
    this.#attempt = undefined;
    if (attempt.hasReply) this.#cutReply('upstream_failed');
    else if (isUnsendable(error)) this.#refuse('bad_request', 'the request cannot be sent to an instance');
    else this.#goOn(attempt, error);
  }

  /** An attempt failed before there was a reply. */
  #goOn(attempt: Attempt, error: Error): void {
    const nowMs = this.#host.clock.monotonicMs();
    const isBodyTaken = this.#received > 0;
    if (this.#retries.wasStale(attempt, error, isBodyTaken, nowMs)) {
      this.#ask({ id: attempt.instance, upstream: attempt.upstream }, true);
      return;
    }
    this.#note(attempt, 'failure', nowMs);
    const next = this.#retries.afterFailure(attempt, isBodyTaken, nowMs);
    if (next === 'none') this.#refuse('upstream_failed', messageOf(attempt));
    else if (next === 'full') this.#wait();
    else this.#ask(next, false);
  }

  #note(attempt: Attempt, outcome: RequestOutcome, nowMs: number): void {
    if (outcome !== 'success') attempt.upstream.load.errors++;
    this.#start.run.watch?.note(attempt.instance, outcome, nowMs);
  }

  // --- the body of the request

  bodyBegins(): void {
    const response = this.#response;
    this.queue?.remove(this);
    this.#attempt?.bodyBegins();
    this.#watchIdle();
    // Node says it itself where nobody else does.
    if (this.#start.head.expectsContinue && !(response as { _sent100?: boolean })._sent100) response.writeContinue();
    this.#request.on('error', ignore);
  }

  bodyMoves(octets: number): void {
    this.#received += octets;
    this.#idle?.touch();
  }

  bodyEnds(): void {
    if (this.#isOver || this.#reply.hasBegun) return;
    this.#stopIdle();
    this.#start.run.deadlines.add(this, this.#host.clock.monotonicMs());
  }

  // --- time

  expired(nowMs: number): void {
    const attempt = this.#attempt;
    if (attempt === undefined) {
      this.waitedTooLong();
      return;
    }
    this.#note(attempt, 'failure', nowMs);
    attempt.upstream.load.sample(nowMs - attempt.startedMs, nowMs);
    this.#refuse('upstream_timeout', 'no instance replied in time');
  }

  #watchIdle(): void {
    this.#idle ??= new IdleWatch(this.#host.clock, this.#start.run.route.idleTimeoutMs, () => this.#wasIdle());
  }

  #wasIdle(): void {
    this.#idle = undefined;
    // It is not the client that holds it up, but the reply before it.
    if (isInLine(this.#response)) this.#watchIdle();
    else if (this.#reply.hasBegun) this.#cutReply('upstream_timeout');
    else if (this.#body?.isHeld) this.#refuse('upstream_timeout', 'the instance does not take the body', true);
    else this.#refuse('request_timeout', 'the body of the request did not arrive in time', true);
  }

  #stopIdle(): void {
    this.#idle?.cancel();
    this.#idle = undefined;
  }

  // --- the end

  #headers(status: number, raw: readonly Buffer[], nowMs: number): string[] {
    const { head, forwarded, asker, beganMs } = this.#start;
    const host = this.#host;
    const headers = replyHeaders(raw, {
      requestId: forwarded.requestId,
      pseudonym: host.pseudonym,
      timing: host.isTimed(head) ? serverTiming(nowMs - beganMs, this.#upstreamMs, this.#attempts) : undefined,
      setCookie: asker.setCookie,
      takesTrailers: takesTrailers(head, status),
      omitsLength: omitsLength(head, status),
    });
    if (host.isClosing && head.protocol !== 'HTTP/2') headers.push('Connection', 'close');
    return headers;
  }

  #refuse(code: string, message: string, isLast = this.#host.isClosing): void {
    if (this.#isOver || this.#reply.hasBegun) return;
    this.#error = code;
    this.#status = statusOf(code);
    this.#release();
    if (this.#response.destroyed || this.#response.headersSent) return;
    const { requestId } = this.#start.forwarded;
    this.#reply.refused(refuse(this.#response, { code, message, requestId, isLast }));
  }

  /** In the middle of a reply there is nothing that could be said any more. */
  #cutReply(code: string): void {
    this.#error = code;
    this.#release();
    this.#reply.cut();
  }

  /** Nothing goes on behind the back of the client. */
  #release(): void {
    this.queue?.remove(this);
    this.#leaveQueue();
    this.#stopIdle();
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.cancel();
  }

  /** The last thing that is heard of the client. */
  #closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release();
    dropLeftover(this.#request, this.#host.clock);
    if (this.#error === undefined && !this.#reply.isSent) this.#status = 499;
    this.#host.ended(this, this.#host.wantsRecords ? this.#record() : undefined);
  }

  #record(): ExchangeRecord {
    return recordOf(this.#start, {
      instance: this.#instance,
      status: this.#status,
      error: this.#error,
      attempts: this.#attempts,
      durationMs: this.#host.clock.monotonicMs() - this.#start.beganMs,
      upstreamMs: this.#upstreamMs,
      queuedMs: this.#queuedMs,
      received: this.#received,
      sent: this.#reply.sent,
    });
  }
}

function hasBody(request: Request, head: RequestHead): boolean {
  if ('stream' in request) return !request.stream.endAfterHeaders;
  return head.isChunked || (head.contentLength !== undefined && head.contentLength !== '0');
}

/** Nothing more will be heard of it: the client was gone before. */
function isClosed(request: Request): boolean {
  return 'stream' in request ? request.stream.destroyed : request.socket.destroyed;
}

function takesTrailers({ protocol, method }: RequestHead, status: number): boolean {
  if (protocol === 'HTTP/2') return true;
  return protocol === 'HTTP/1.1' && method !== 'HEAD' && status !== 204 && status !== 304;
}

/** Node leaves out the body of a 205 in HTTP/2 only. */
function omitsLength({ protocol }: RequestHead, status: number): boolean {
  return status === 204 || (status === 205 && protocol === 'HTTP/2');
}

/** undici does not even begin with what is no valid request. */
function isUnsendable(error: Error): boolean {
  return (error as NodeJS.ErrnoException).code === 'UND_ERR_INVALID_ARG';
}

function messageOf(attempt: Attempt): string {
  return attempt.isSent ? 'the instance broke off, or did not reply with HTTP' : 'the instance cannot be reached';
}

function ignore(): void {}
