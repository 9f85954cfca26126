// query.ts -- the one door: request octets in, reply octets out
//
// UDP, TCP and whatever comes later all call `respond`. It is synchronous, reads no clock, does no I/O, and never
// throws: whatever goes wrong inside is SERVFAIL, one log line and a counter.

import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { clientSubnetReply } from '../dns/client-subnet.ts';
import { CLASS, EXTENDED_ERROR, RCODE, TYPE } from '../dns/codes.ts';
import { FLAG, HEADER_LENGTH } from '../dns/header.ts';
import type { Question } from '../dns/message.ts';
import type { Name } from '../dns/name.ts';
import { type Request, readRequest } from '../dns/request.ts';
import { type Answer, cutAnswer, type ExtendedError, failure } from './answer.ts';
import { answerChaos } from './chaos-names.ts';
import type { Client } from './client.ts';
import { ServerCookies } from './cookies.ts';
import { HotAnswers } from './hot-answers.ts';
import { type HotEntry, makeHotEntry } from './hot-entry.ts';
import { type HotContext, HotWriter } from './hot-writer.ts';
import { type OutsideAliases, OutsideNames } from './outside-names.ts';
import { PlainQuery } from './plain-query.ts';
import type { QueryCounters, Transport } from './query-counters.ts';
import { QueryDraw } from './query-draw.ts';
import type { QuerySettings } from './query-settings.ts';
import { DROP, RateLimiter, SEND } from './rate-limit.ts';
import { NO_OPTIONS, nsidOption, type OwnOptions, type ReplyOptions, replyOptions } from './reply-options.ts';
import {
  ednsLimit,
  MAX_MESSAGE_SIZE,
  PLAIN_UDP_SIZE,
  replyLimit,
  writeResponse,
  writeServerFailure,
} from './response.ts';
import { solve } from './solve.ts';
import { clientOf, subnetOf } from './subnet-client.ts';
import { isTransfer, TransferGate } from './transfer-gate.ts';
import { FORWARD, NO_REPLY, type TRANSFER } from './verdict.ts';
import type { View, ViewState } from './view.ts';

/** What answering needs of the program around it. */
export interface QueryOptions {
  readonly random: Random;
  readonly counters: QueryCounters;
  /** The tables of rate limits, and the secret behind them, the same for all threads; undefined: nothing is limited. */
  readonly limits?: LimitTables;
  readonly settings: QuerySettings;
  /** False: every query takes the general path. Default true. */
  readonly keepsHotAnswers?: boolean;
  /** The place of a service in the counters; -1 for none. */
  placeOf(service: string): number;
  /** Told of what should never happen. */
  onFailure(error: unknown): void;
}

export interface LimitTables {
  readonly memory: SharedArrayBuffer;
  readonly seed: number;
}

export class QueryHandler {
  /** Whole seconds of a clock that never goes back, and of the one on the wall. */
  readonly #time = { monotonicSeconds: 0, wallSeconds: 0 };
  readonly state: ViewState = { serialOffset: 0, isLoaded: false, isStale: false };
  readonly #options: QueryOptions;
  #view: View;
  #settings: QuerySettings;
  #hot: HotAnswers;
  #limiter: RateLimiter | undefined;
  /** Undefined: nothing is forwarded. */
  #outside: OutsideNames | undefined;
  #transfers: TransferGate;
  #cookies: ServerCookies;
  #nsid: OwnOptions['nsid'];
  /** The last query of the general path was answered by a wildcard. */
  #isMadeUp = false;
  readonly #plain = new PlainQuery();
  readonly #writer = new HotWriter();
  readonly #draw: QueryDraw;
  readonly #context: HotContext;

  constructor(view: View, options: QueryOptions) {
    this.#view = view;
    this.#options = options;
    this.#settings = options.settings;
    this.#hot = new HotAnswers(view.freshnesses);
    this.#draw = new QueryDraw(options.random);
    this.#cookies = new ServerCookies([]);
    this.#transfers = new TransferGate([]);
    this.#context = { draw: this.#draw, limit: 0, serverUdpSize: 0, serialOffset: 0, cookie: undefined };
    this.setSettings(options.settings);
  }

  get view(): View {
    return this.#view;
  }

  /** The query that was answered last had a server cookie of ours: it came from the address that it says. */
  get hasGoodCookie(): boolean {
    return this.#cookies.isGood;
  }

  /** What time it is, for a query or a batch of them: answering itself reads no clock. */
  setTime(clock: Pick<Clock, 'monotonicMs' | 'wallMs'>): void {
    this.#time.monotonicSeconds = Math.floor(clock.monotonicMs() / 1000);
    this.#time.wallSeconds = Math.floor(clock.wallMs() / 1000);
  }

  /** Answer from another generation from the next query on. */
  setView(view: View, settings: QuerySettings): void {
    this.#view = view;
    this.#hot = new HotAnswers(view.freshnesses);
    this.setSettings(settings);
  }

  /** Go by other settings from the next query on; the answers that are kept stay. */
  setSettings(settings: QuerySettings): void {
    this.#settings = settings;
    this.#limiter = this.#makeLimiter();
    this.#outside = settings.forward === undefined ? undefined : new OutsideNames(settings.forward);
    this.#transfers = new TransferGate(settings.transferTo ?? []);
    this.#nsid = nsidOption(settings.nsid);
    this.#cookies = new ServerCookies(settings.cookieSecrets ?? []);
    this.#context.serverUdpSize = settings.maxUdpSize;
    this.#context.cookie = this.#cookies.isOn ? this.#cookies.option : undefined;
  }

  /**
   * Answer the query of `client` in `bytes` into `out` (at least 65,535 octets). Returns the length of the reply, or what
   * else it comes to (verdict.ts): no reply, or something that others must see to.
   */
  respond(bytes: Uint8Array, transport: Transport, out: Uint8Array, client: Client): number {
    return this.respondInPlace(bytes, bytes.length, transport, out, client);
  }

  /**
   * The same for a query in the first `length` octets of `slot`; for UDP, `out` needs no more room than the largest
   * reply (`maxUdpSize`). What is asked often is answered without allocating.
   */
  respondInPlace(slot: Uint8Array, length: number, transport: Transport, out: Uint8Array, client: Client): number {
    let questionEnd = 0;
    this.#draw.begin(client);
    this.#cookies.begin();
    try {
      if (this.#plain.read(slot, length)) {
        questionEnd = this.#plain.end;
        if (this.#plain.cookieLength > 0) this.#takeCookie(slot, client);
        const written = this.#respondHot(slot, transport, out);
        if (written > 0)
          return this.#limiter === undefined
            ? written
            : this.#limit(slot, length, transport, out, client, written, false);
      }
      const written = this.#respondGenerally(exactly(slot, length), transport, out, client);
      if (this.#limiter === undefined) return written;
      return this.#limit(slot, length, transport, out, client, written, this.#isMadeUp);
    } catch (error) {
      const { counters } = this.#options;
      counters.failed();
      counters.answered(transport, 0, RCODE.SERVFAIL, -1);
      this.#options.onFailure(error);
      return writeServerFailure(slot, questionEnd, out);
    }
  }

  #takeCookie(bytes: Uint8Array, client: Client): void {
    if (!this.#cookies.isOn) return;
    const { cookieAt, cookieLength } = this.#plain;
    this.#cookies.take(bytes, cookieAt, cookieLength, client, this.#time.wallSeconds);
  }

  #respondHot(bytes: Uint8Array, transport: Transport, out: Uint8Array): number {
    const plain = this.#plain;
    const { state } = this;
    if (!state.isLoaded || state.isStale || this.#options.keepsHotAnswers === false) return 0;
    const hot = this.#hot;
    let block = hot.find(plain) || this.#prepare(bytes);
    if (block === 0) return 0;
    if (hot.isSplit(block)) {
      block = this.#branchOf(block, bytes);
      if (block <= 0) return 0;
    }
    const context = this.#context;
    context.limit = transport === 'udp' ? this.#udpLimit(plain) : MAX_MESSAGE_SIZE;
    context.serialOffset = state.serialOffset;
    const length = this.#writer.write(hot, block, plain, bytes, context, out);
    if (length === 0) return 0;
    const { counters } = this.#options;
    const rcode = hot.rcodeOf(block);
    counters.answered(transport, plain.type, rcode, hot.serviceOf(block));
    if (rcode === RCODE.NXDOMAIN) counters.unknownName();
    return length;
  }

  #makeLimiter(): RateLimiter | undefined {
    const { limits } = this.#options;
    const { rateLimit } = this.#settings;
    if (rateLimit === undefined || limits === undefined) return undefined;
    return new RateLimiter(rateLimit, limits.memory, limits.seed);
  }

  /** The reply in `out` of so many octets, or what its sender's network gets instead of it. */
  #limit(
    slot: Uint8Array,
    length: number,
    transport: Transport,
    out: Uint8Array,
    client: Client,
    written: number,
    isMadeUp: boolean,
  ): number {
    // With a good cookie, it is really the client that asks (RFC 7873 section 5.2.4).
    if (transport !== 'udp' || written <= 0 || this.#cookies.isGood) return written;
    const verdict = this.#limiter!.judge(client, length, out, written, isMadeUp, this.#time.monotonicSeconds);
    if (verdict === SEND) return written;
    const { counters } = this.#options;
    if (verdict === DROP) {
      counters.dropped('limited');
      return NO_REPLY;
    }
    counters.cut();
    const bytes = exactly(slot, length);
    const request = readRequest(bytes)!;
    const asked = this.#replyOptions(request, transport, client);
    // Who speaks of cookies is sent one, and may ask again with it at once (section 5.2.3); others over TCP.
    const cut = this.#cookies.isTaken
      ? failure(RCODE.BADCOOKIE)
      : cutAnswer(out[3]! & 0xf, (out[2]! & (FLAG.AA >>> 8)) !== 0);
    return this.#write(request, bytes, cut, asked, transport, out);
  }

  #udpLimit(plain: PlainQuery): number {
    return plain.hasEdns ? ednsLimit(plain.udpSize, this.#settings.maxUdpSize) : PLAIN_UDP_SIZE;
  }

  #prepare(bytes: Uint8Array): number {
    const entry = this.#makeEntry(bytes);
    return entry === undefined ? 0 : this.#hot.put(entry, this.#plain);
  }

  /** The block of the branch that this query goes down; not above 0 when the general path must answer. */
  #branchOf(split: number, bytes: Uint8Array): number {
    const hot = this.#hot;
    const branch = this.#draw.choose(hot.selectorOf(split));
    return hot.branchOf(split, branch) || hot.putBranch(split, branch, this.#makeEntry(bytes, branch), this.#plain);
  }

  #makeEntry(bytes: Uint8Array, branch?: number): HotEntry | undefined {
    const { nameLength, type } = this.#plain;
    const name = bytes.slice(HEADER_LENGTH, HEADER_LENGTH + nameLength) as Name;
    return makeHotEntry(name, type, this.#view, this.#options.placeOf, branch);
  }

  #respondGenerally(bytes: Uint8Array, transport: Transport, out: Uint8Array, client: Client): number {
    const { counters, placeOf } = this.#options;
    this.#isMadeUp = false;
    if (transport === 'udp' && bytes.length >= TOO_LONG) {
      counters.dropped('long');
      return NO_REPLY;
    }
    const request = readRequest(bytes);
    if (request === undefined) {
      counters.dropped(bytes.length < HEADER_LENGTH ? 'short' : 'response');
      return NO_REPLY;
    }
    const asked = this.#replyOptions(request, transport, client);
    const answer = asked.isMalformed
      ? failure(RCODE.FORMERR)
      : (this.#outside?.see(request, client, this.#view) ?? this.#answer(request, bytes, transport, client));
    if (typeof answer === 'number') return answer;
    this.#isMadeUp = answer.isMadeUp;
    if (this.#outside?.targetOf(answer, request, client, this.#view) !== undefined) return FORWARD;
    const place = answer.service === undefined ? -1 : placeOf(answer.service);
    counters.answered(transport, request.question?.type ?? 0, answer.rcode, place);
    const length = this.#write(request, bytes, answer, asked, transport, out);
    // A referral is long, and whoever asks for ANY may well be somebody else (RFC 8482 section 4.4).
    const isTooMuch =
      transport === 'udp' && request.question?.type === TYPE.ANY && length > MAX_ANY_FACTOR * bytes.length;
    if (!isTooMuch) return length;
    return this.#write(request, bytes, cutAnswer(answer.rcode, answer.authoritative), asked, transport, out);
  }

  /** SERVFAIL for a query that came to a verdict which nobody can see to now. */
  fail(bytes: Uint8Array, transport: Transport, out: Uint8Array, error: ExtendedError): number {
    const request = readRequest(bytes)!;
    const answer = failure(RCODE.SERVFAIL, error);
    this.#options.counters.answered(transport, request.question?.type ?? 0, answer.rcode, -1);
    return this.#write(request, bytes, answer, NO_OPTIONS, transport, out);
  }

  /** Aliases of ours that a question leads along to a name outside, which has to be forwarded; undefined: there are none. */
  aliasesFor(request: Request, client: Client): OutsideAliases | undefined {
    this.#draw.begin(client);
    const answer = this.#answerQuestion(request.question!);
    const target = this.#outside?.targetOf(answer, request, client, this.#view);
    return target === undefined ? undefined : { answer, target };
  }

  /** What the options of a query ask for, for a reply that somebody else writes later. */
  optionsFor(request: Request, transport: Transport, client: Client): Pick<ReplyOptions, 'options' | 'padBlock'> {
    this.#cookies.begin();
    return this.#replyOptions(request, transport, client);
  }

  #replyOptions(request: Request, transport: Transport, client: Client): ReplyOptions {
    const own = { cookies: this.#cookies, nsid: this.#nsid, nowSeconds: this.#time.wallSeconds };
    return replyOptions(request, transport, client, own);
  }

  #write(
    request: Request,
    bytes: Uint8Array,
    answer: Answer,
    asked: ReplyOptions,
    transport: Transport,
    out: Uint8Array,
  ): number {
    const { maxUdpSize } = this.#settings;
    const limit = replyLimit(request, transport === 'udp', maxUdpSize);
    return writeResponse(request, bytes, answer, { limit, maxUdpSize, asked }, out);
  }

  #answer(request: Request, bytes: Uint8Array, transport: Transport, client: Client): Answer | typeof TRANSFER {
    if (request.edns !== undefined && request.edns.version > 0) return failure(RCODE.BADVERS);
    if (request.rcode !== RCODE.NOERROR) return failure(request.rcode);
    // We have no keys, so none that we could know (RFC 8945 section 5.2.1).
    if (request.tsig !== undefined) return failure(RCODE.NOTAUTH);
    if (request.question === undefined) return this.#answerCookie();
    if (isTransfer(request.question.type) && request.question.class === CLASS.IN) {
      return this.#transfers.see(request, bytes, { transport, client, view: this.#view, state: this.state });
    }
    const subnet = subnetOf(request, client, this.#view);
    if (subnet === 'malformed') return failure(RCODE.FORMERR);
    if (subnet === undefined) return this.#answerQuestion(request.question);
    this.#draw.begin(clientOf(subnet, client));
    const answer = this.#answerQuestion(request.question);
    answer.clientSubnet = clientSubnetReply(subnet, this.#draw.usedClient);
    return answer;
  }

  /** To a query that asks for nothing but a cookie (RFC 7873 section 5.4). */
  #answerCookie(): Answer {
    const { isOn, isGood, hasServerCookie } = this.#cookies;
    if (!isOn) return failure(RCODE.FORMERR);
    return failure(hasServerCookie && !isGood ? RCODE.BADCOOKIE : RCODE.NOERROR);
  }

  #answerQuestion({ name, type, class: questionClass }: Question): Answer {
    if (FORMERR_TYPES.has(type)) return failure(RCODE.FORMERR);
    if (questionClass !== CLASS.IN) {
      const told = questionClass === CLASS.CH ? answerChaos(name, type, this.#settings.chaos) : undefined;
      return told ?? failure(RCODE.REFUSED, NOT_AUTHORITATIVE);
    }
    if (!this.state.isLoaded && this.#view.zoneOf(name) !== undefined) return failure(RCODE.SERVFAIL, NOT_READY);
    const answer = solve(name, type, { view: this.#view, state: this.state, draw: this.#draw });
    if (answer === undefined) return failure(RCODE.REFUSED, NOT_AUTHORITATIVE);
    if (answer.rcode === RCODE.NXDOMAIN) this.#options.counters.unknownName();
    if (this.state.isStale) answer.extendedError = STALE;
    return answer;
  }
}

/** Of a query over UDP: no client has that much to say, and a shard has not received more of it. */
const TOO_LONG = 4096;

/** Octets of a reply to ANY over UDP for each octet of the query. */
const MAX_ANY_FACTOR = 4;

/** Types that only stand in other sections (RFC 6891, 8945) or mark proofs (RFC 9824 section 3.1). */
const FORMERR_TYPES: ReadonlySet<number> = new Set([TYPE.OPT, TYPE.TSIG, 128]);

const NOT_AUTHORITATIVE = { code: EXTENDED_ERROR.NOT_AUTHORITATIVE, text: 'not authoritative for this name' };
const NOT_READY = { code: EXTENDED_ERROR.NOT_READY, text: 'the registry is not loaded yet' };
const STALE = { code: EXTENDED_ERROR.STALE_ANSWER, text: 'the store has not been heard of lately' };

function exactly(slot: Uint8Array, length: number): Uint8Array {
  return length === slot.length ? slot : slot.subarray(0, length);
}
