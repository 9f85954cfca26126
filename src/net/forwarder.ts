// forwarder.ts -- asks upstreams for names outside every zone, on behalf of clients
//
//   query -> kept reply | failed a moment ago | asked already: wait with the others | ask the upstreams
//
// A client always gets an answer in the end, and what waits is bounded: beyond that it fails fast.

import { randomInt } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { EDNS_OPTION, EXTENDED_ERROR, RCODE } from '../dns/codes.ts';
import { type EdnsOption, extendedErrorOption } from '../dns/edns.ts';
import { FLAG } from '../dns/header.ts';
import type { Name } from '../dns/name.ts';
import { type Request, readRequest } from '../dns/request.ts';
import { groupRecords } from '../dns/rrset.ts';
import { type Answer, type ExtendedError, failure } from '../nameserver/answer.ts';
import type { Client } from '../nameserver/client.ts';
import { BUSY, type OutsideAliases } from '../nameserver/outside-names.ts';
import type { Transport } from '../nameserver/query-counters.ts';
import type { ReplyOptions } from '../nameserver/reply-options.ts';
import { MAX_MESSAGE_SIZE, replyLimit, writeResponse } from '../nameserver/response.ts';
import { Asking, type AskingOutcome } from './forward-asking.ts';
import { ForwardCache, MAX_TTL_SECONDS } from './forward-cache.ts';
import { ForwardCrowd } from './forward-crowd.ts';
import { isPrivateAddress } from './private-address.ts';
import { freshened, passOn, type RelayedMessage, recordsIn } from './relayed-message.ts';
import { Upstream } from './upstream.ts';
import { formatUpstream, type UpstreamAddress } from './upstream-address.ts';
import { type ForwardedQuestion, keyOf, markOf, questionOf } from './upstream-query.ts';

/** What a reload exchanges. */
export interface ForwarderSettings {
  readonly to: readonly UpstreamAddress[];
  /** From a question to its answer, whatever happens. */
  readonly timeoutMs: number;
  readonly cacheSize: number;
  /** How long replies are kept beyond their time; 0: not at all. */
  readonly staleMs: number;
  /** Addresses inside private networks are no answer (DNS rebinding). */
  readonly stripPrivate: boolean;
  /** PEM of the authorities that vouch for TLS upstreams; undefined: those that Node knows. */
  readonly authorities: string | undefined;
  readonly maxUdpSize: number;
}

export interface ForwarderOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Names that are answered here, so that no upstream is believed anything about them. */
  isOwn(name: Name): boolean;
  /** The aliases that lead from a name of ours to one outside; undefined when they do not any more. */
  aliasesFor(request: Request, client: Client): OutsideAliases | undefined;
  /** What the options of a query ask for. */
  optionsFor(request: Request, transport: Transport, client: Client): AskedOptions;
  /** Told of each answer: the transport, type and rcode, for the counters. */
  onAnswer(transport: Transport, type: number, rcode: number): void;
}

type AskedOptions = Pick<ReplyOptions, 'options' | 'padBlock'>;

/** Where an answer came from; the `source` label of the metrics. */
export type AnswerSource = 'upstream' | 'cache' | 'stale' | 'failed' | 'remembered' | 'refused';

interface Waiting {
  readonly query: Uint8Array;
  readonly request: Request;
  readonly transport: Transport;
  readonly asked: AskedOptions;
  readonly question: ForwardedQuestion;
  /** What stands before the answer. */
  readonly aliases: OutsideAliases | undefined;
  readonly reply: (message: Uint8Array) => void;
  readonly leave: () => void;
}

interface UnderWay {
  readonly waiting: Waiting[];
  asking: Asking | undefined;
}

/** Questions under way at once: each has a socket or three. */
const MAX_QUESTIONS = 1000;
const MAX_WAITING_PER_QUESTION = 256;
/** RFC 8767 section 4. */
const STALE_TTL_SECONDS = 30;
/** One question in so many goes to another upstream than the fastest, so that the others' times are known. */
const EXPLORE_EVERY = 16;
/** How long questions under way may take yet when the server stops. */
const STOP_MS = 500;
const STALE: ExtendedError = { code: EXTENDED_ERROR.STALE_ANSWER, text: 'no upstream answers at the moment' };
const LOOP: ExtendedError = { code: EXTENDED_ERROR.NETWORK_ERROR, text: 'the question came back: a forwarding loop' };
const MALFORMED: ExtendedError = { code: EXTENDED_ERROR.NETWORK_ERROR, text: 'malformed reply' };
const STOPPED: ExtendedError = { code: EXTENDED_ERROR.NETWORK_ERROR, text: 'forwarding has stopped' };
const FILTERED: ExtendedError = { code: EXTENDED_ERROR.FILTERED, text: 'a private address under a public name' };

export class Forwarder {
  readonly answers = new Map<AnswerSource, number>();
  /** Messages from upstreams' addresses that were no replies to what was asked. */
  wrongReplies = 0;
  readonly #options: ForwarderOptions;
  readonly #crowd = new ForwardCrowd();
  /** Of all queries under way: one that comes back to us went around a loop. */
  readonly #marks = new Set<string>();
  readonly #underWay = new Map<string, UnderWay>();
  #settings: ForwarderSettings;
  #upstreams: Upstream[] = [];
  #cache: ForwardCache;
  #isClosed = false;

  constructor(settings: ForwarderSettings, options: ForwarderOptions) {
    this.#options = options;
    this.#settings = settings;
    this.#cache = this.#makeCache();
    this.#upstreams = settings.to.map((address) => this.#makeUpstream(address));
  }

  get upstreams(): readonly Upstream[] {
    return this.#upstreams;
  }

  /** Questions under way. */
  get questions(): number {
    return this.#underWay.size;
  }

  /** Clients that wait for them. */
  get waiting(): number {
    return this.#crowd.size;
  }

  get cache(): Pick<ForwardCache, 'size' | 'octets'> {
    return this.#cache;
  }

  /** From the next question on. What is under way is finished as it began; upstreams that stay keep what is known of them. */
  set(settings: ForwarderSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    const isSameTrust = before.authorities === settings.authorities;
    const known = new Map(this.#upstreams.map((each) => [each.name, each]));
    const kept = (name: string): Upstream | undefined => (isSameTrust ? known.get(name) : undefined);
    const next = settings.to.map((address) => kept(formatUpstream(address)) ?? this.#makeUpstream(address));
    const gone = this.#upstreams.filter((each) => !next.includes(each));
    this.#upstreams = next;
    // Not before the last question put to them has had its time.
    if (gone.length > 0) {
      this.#options.clock.after(before.timeoutMs, () => {
        for (const each of gone) each.close();
      });
    }
    const isSameCache = before.cacheSize === settings.cacheSize && before.staleMs === settings.staleMs;
    if (!isSameCache || gone.length > 0 || before.stripPrivate !== settings.stripPrivate)
      this.#cache = this.#makeCache();
  }

  /** Forget all that upstreams said: names may be answered here that were not before. */
  clearCache(): void {
    this.#cache.clear();
  }

  /**
   * Have `query` asked upstream. `reply` is called once, after this returned, with a message that the transport takes.
   * The query is kept until then, and must not change.
   */
  forward(query: Uint8Array, transport: Transport, client: Client, reply: (message: Uint8Array) => void): void {
    const request = readRequest(query);
    if (request?.question === undefined) return;
    const asked = this.#options.optionsFor(request, transport, client);
    const isOwn = this.#options.isOwn(request.question.name);
    const aliases = isOwn ? this.#options.aliasesFor(request, client) : undefined;
    const leave = this.#crowd.enter(client);
    const question = questionOf(request, aliases?.target);
    const waiting = { query, request, transport, asked, question, aliases, reply, leave: leave ?? (() => {}) };
    // Whoever asks over a stream counts what is under way only when this has returned.
    queueMicrotask(() => {
      if (leave === undefined) this.#refuse(waiting, BUSY);
      // A reload in between: the name is all ours now.
      else if (isOwn && aliases === undefined) this.#refuse(waiting, STOPPED);
      else this.#see(waiting);
    });
  }

  /** Give what is under way a moment, then fail it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const { clock } = this.#options;
    if (this.#underWay.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
        clock.after(STOP_MS, resolve);
      });
    }
    for (const [key, { asking }] of this.#underWay) {
      asking?.close();
      this.#settle(key, { kind: 'failed', error: STOPPED });
    }
    for (const each of this.#upstreams) each.close();
  }

  #onIdle: () => void = () => {};

  #makeCache(): ForwardCache {
    const { cacheSize, staleMs } = this.#settings;
    return new ForwardCache({ clock: this.#options.clock, entries: cacheSize, staleMs });
  }

  #makeUpstream(address: UpstreamAddress): Upstream {
    const { clock, log } = this.#options;
    return new Upstream({
      address,
      clock,
      authorities: this.#settings.authorities,
      marks: this.#marks,
      onWrong: () => {
        this.wrongReplies++;
      },
      onHealth: ({ name }, isUp) => {
        if (isUp) this.#cache.forgetFailures();
        log[isUp ? 'info' : 'warn'](
          { upstream: name },
          isUp ? 'the upstream answers again' : 'the upstream does not answer',
        );
      },
    });
  }

  #see(waiting: Waiting): void {
    if (this.#marks.has(markOf(waiting.query, waiting.request.questionEnd))) {
      // Our own query gets this for a reply, and hands it on to the client that asked.
      this.#refuse(waiting, LOOP);
      return;
    }
    const { question } = waiting;
    const key = keyOf(question);
    const kept = this.#cache.get(key);
    if (kept !== undefined && !kept.isStale) {
      this.#answer(waiting, kept.relayed, 'cache', kept.ageSeconds);
      return;
    }
    const failed = this.#cache.failure(key);
    if (failed !== undefined) {
      if (kept !== undefined) this.#answerStale(waiting, kept.relayed);
      else this.#answerFailed(waiting, failed.error, failed.relayed, 'remembered');
      return;
    }
    const underWay = this.#underWay.get(key);
    if (this.#isClosed || this.#upstreams.length === 0) this.#refuse(waiting, STOPPED);
    else if (underWay !== undefined) this.#join(underWay, waiting);
    else this.#ask(key, question, waiting);
  }

  #join({ waiting }: UnderWay, one: Waiting): void {
    if (waiting.length >= MAX_WAITING_PER_QUESTION) this.#refuse(one, BUSY);
    else waiting.push(one);
  }

  #ask(key: string, question: ForwardedQuestion, waiting: Waiting): void {
    const upstreams = this.#inOrder();
    if (this.#underWay.size >= MAX_QUESTIONS || upstreams.length === 0) {
      this.#refuse(waiting, BUSY);
      return;
    }
    const underWay: UnderWay = { waiting: [waiting], asking: undefined };
    this.#underWay.set(key, underWay);
    const { clock, isOwn } = this.#options;
    const options = { clock, timeoutMs: this.#settings.timeoutMs, isOwn };
    underWay.asking = new Asking(question, upstreams, options, (outcome) => this.#settle(key, outcome));
  }

  /** Those that answer, the fastest first; then the others. Only those that may be asked more. */
  #inOrder(): Upstream[] {
    const open = this.#upstreams.filter(({ hasRoom }) => hasRoom);
    open.sort((a, b) => Number(b.isUp) - Number(a.isUp) || a.rttMs - b.rttMs);
    const up = open.filter(({ isUp }) => isUp).length;
    if (up > 1 && randomInt(EXPLORE_EVERY) === 0) open.unshift(...open.splice(1 + randomInt(up - 1), 1));
    return open;
  }

  #settle(key: string, outcome: AskingOutcome): void {
    const underWay = this.#underWay.get(key);
    if (underWay === undefined) return;
    this.#underWay.delete(key);
    if (outcome.kind === 'reply') {
      this.#cache.put(key, outcome.relayed);
      for (const each of underWay.waiting) this.#answer(each, outcome.relayed, 'upstream', 0);
    } else {
      const { error, relayed } = outcome;
      this.#cache.putFailure(key, error, relayed);
      const kept = this.#cache.get(key);
      for (const each of underWay.waiting) {
        if (kept !== undefined) this.#answerStale(each, kept.relayed);
        else this.#answerFailed(each, error, relayed, 'failed');
      }
    }
    if (this.#underWay.size === 0) this.#onIdle();
  }

  #answerStale(waiting: Waiting, relayed: RelayedMessage): void {
    this.#answer(waiting, freshened(relayed, STALE_TTL_SECONDS), 'stale', 0, STALE);
  }

  /** What an upstream says of a failure is worth more than what we could say. */
  #answerFailed(
    waiting: Waiting,
    error: ExtendedError,
    relayed: RelayedMessage | undefined,
    source: AnswerSource,
  ): void {
    if (relayed === undefined) this.#refuse(waiting, error, source);
    else this.#answer(waiting, relayed, source, 0);
  }

  #answer(
    waiting: Waiting,
    relayed: RelayedMessage,
    source: AnswerSource,
    ageSeconds: number,
    error?: ExtendedError,
  ): void {
    if (this.#settings.stripPrivate && relayed.addresses.some(isPrivateAddress)) {
      this.#write(waiting, RCODE.NOERROR, FILTERED, source);
      return;
    }
    const { query, request, transport, asked, aliases } = waiting;
    if (aliases !== undefined) {
      this.#answerBehind(waiting, aliases, relayed, source, ageSeconds, error);
      return;
    }
    const { maxUdpSize } = this.#settings;
    const message = passOn(relayed, query, request, {
      ageSeconds,
      maxTtlSeconds: MAX_TTL_SECONDS,
      options: error === undefined ? asked.options : [...asked.options, optionOf(error)],
      padBlock: asked.padBlock,
      limit: replyLimit(request, transport === 'udp', maxUdpSize),
      maxUdpSize,
    });
    this.#deliver(waiting, message, relayed.rcode, source);
  }

  /** Our aliases, and behind them what an upstream said of the name that they lead to (RFC 6604). */
  #answerBehind(
    waiting: Waiting,
    { answer: own, target }: OutsideAliases,
    relayed: RelayedMessage,
    source: AnswerSource,
    ageSeconds: number,
    extendedError: ExtendedError | undefined,
  ): void {
    const found = recordsIn(relayed, target, { ageSeconds, maxTtlSeconds: MAX_TTL_SECONDS });
    if (found === undefined) this.#refuse(waiting, MALFORMED, source);
    else {
      const answer = [...own.answer, ...groupRecords(found.answers)];
      const authority = groupRecords(found.authorities);
      this.#writeAnswer(waiting, { ...own, rcode: relayed.rcode, answer, authority, extendedError }, source);
    }
  }

  /** SERVFAIL of our own. */
  #refuse(waiting: Waiting, error: ExtendedError, source: AnswerSource = 'refused'): void {
    this.#write(waiting, RCODE.SERVFAIL, error, source);
  }

  #write(waiting: Waiting, rcode: number, error: ExtendedError, source: AnswerSource): void {
    this.#writeAnswer(waiting, failure(rcode, error), source);
  }

  #writeAnswer(waiting: Waiting, answer: Answer, source: AnswerSource): void {
    const { query, request, transport, asked } = waiting;
    const { maxUdpSize } = this.#settings;
    const limit = replyLimit(request, transport === 'udp', maxUdpSize);
    const length = writeResponse(request, query, answer, { limit, maxUdpSize, asked }, SCRATCH);
    const message = SCRATCH.slice(0, length);
    message[3]! |= FLAG.RA;
    this.#deliver(waiting, message, answer.rcode, source);
  }

  #deliver(
    { request, transport, reply, leave }: Waiting,
    message: Uint8Array,
    rcode: number,
    source: AnswerSource,
  ): void {
    leave();
    this.answers.set(source, (this.answers.get(source) ?? 0) + 1);
    this.#options.onAnswer(transport, request.question?.type ?? 0, rcode);
    reply(message);
  }
}

const SCRATCH = new Uint8Array(MAX_MESSAGE_SIZE);

function optionOf({ code, text }: ExtendedError): EdnsOption {
  return extendedErrorOption(EDNS_OPTION.EXTENDED_ERROR, code, text);
}
