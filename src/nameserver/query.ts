// query.ts -- the one door: request octets in, reply octets out
//
// UDP, TCP and whatever comes later all call `respond`. It is synchronous, reads no clock, does no I/O, and never
// throws: whatever goes wrong inside is SERVFAIL, one log line and a counter.

import type { Random } from '../base/random.ts';
import { clientSubnetReply } from '../dns/client-subnet.ts';
import { CLASS, EXTENDED_ERROR, RCODE, TYPE } from '../dns/codes.ts';
import { HEADER_LENGTH } from '../dns/header.ts';
import type { Question } from '../dns/message.ts';
import type { Name } from '../dns/name.ts';
import { type Request, readRequest } from '../dns/request.ts';
import { type Answer, failure } from './answer.ts';
import type { Client } from './client.ts';
import { HotAnswers } from './hot-answers.ts';
import { type HotEntry, makeHotEntry } from './hot-entry.ts';
import { type HotContext, HotWriter } from './hot-writer.ts';
import { PlainQuery } from './plain-query.ts';
import type { QueryCounters, Transport } from './query-counters.ts';
import { QueryDraw } from './query-draw.ts';
import type { QuerySettings } from './query-settings.ts';
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
import { NO_REPLY } from './verdict.ts';
import type { View, ViewState } from './view.ts';

/** What answering needs of the program around it. */
export interface QueryOptions {
  readonly random: Random;
  readonly counters: QueryCounters;
  readonly settings: QuerySettings;
  /** False: every query takes the general path. Default true. */
  readonly keepsHotAnswers?: boolean;
  /** The place of a service in the counters; -1 for none. */
  placeOf(service: string): number;
  /** Told of what should never happen. */
  onFailure(error: unknown): void;
}

export class QueryHandler {
  readonly state: ViewState = { serialOffset: 0, isLoaded: false, isStale: false };
  readonly #options: QueryOptions;
  #view: View;
  #settings: QuerySettings;
  #hot: HotAnswers;
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
    this.#context = { draw: this.#draw, limit: 0, serverUdpSize: options.settings.maxUdpSize, serialOffset: 0 };
  }

  get view(): View {
    return this.#view;
  }

  /** Answer from another generation from the next query on. */
  setView(view: View, settings: QuerySettings): void {
    this.#view = view;
    this.#settings = settings;
    this.#context.serverUdpSize = settings.maxUdpSize;
    this.#hot = new HotAnswers(view.freshnesses);
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
    try {
      if (this.#plain.read(slot, length)) {
        questionEnd = this.#plain.end;
        const written = this.#respondHot(slot, transport, out);
        if (written > 0) return written;
      }
      return this.#respondGenerally(length === slot.length ? slot : slot.subarray(0, length), transport, out, client);
    } catch (error) {
      const { counters } = this.#options;
      counters.failed();
      counters.answered(transport, 0, RCODE.SERVFAIL, -1);
      this.#options.onFailure(error);
      return writeServerFailure(slot, questionEnd, out);
    }
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
    const request = readRequest(bytes);
    if (request === undefined) {
      counters.dropped(bytes.length < HEADER_LENGTH ? 'short' : 'response');
      return NO_REPLY;
    }
    const answer = this.#answer(request, client);
    const place = answer.service === undefined ? -1 : placeOf(answer.service);
    counters.answered(transport, request.question?.type ?? 0, answer.rcode, place);
    const { maxUdpSize } = this.#settings;
    const limit = replyLimit(request, transport === 'udp', maxUdpSize);
    return writeResponse(request, bytes, answer, limit, maxUdpSize, out);
  }

  #answer(request: Request, client: Client): Answer {
    if (request.edns !== undefined && request.edns.version > 0) return failure(RCODE.BADVERS);
    if (request.rcode !== RCODE.NOERROR) return failure(request.rcode);
    const subnet = subnetOf(request, client, this.#view);
    if (subnet === 'malformed') return failure(RCODE.FORMERR);
    if (subnet === undefined) return this.#answerQuestion(request.question!);
    this.#draw.begin(clientOf(subnet, client));
    const answer = this.#answerQuestion(request.question!);
    answer.clientSubnet = clientSubnetReply(subnet, this.#draw.usedClient);
    return answer;
  }

  #answerQuestion({ name, type, class: questionClass }: Question): Answer {
    if (FORMERR_TYPES.has(type)) return failure(RCODE.FORMERR);
    if (questionClass !== CLASS.IN) return failure(RCODE.REFUSED, NOT_AUTHORITATIVE);
    if (type === TYPE.AXFR || type === TYPE.IXFR) return failure(RCODE.REFUSED, TRANSFER_PROHIBITED);
    if (!this.state.isLoaded && this.#view.zoneOf(name) !== undefined) return failure(RCODE.SERVFAIL, NOT_READY);
    const answer = solve(name, type, { view: this.#view, state: this.state, draw: this.#draw });
    if (answer === undefined) return failure(RCODE.REFUSED, NOT_AUTHORITATIVE);
    if (answer.rcode === RCODE.NXDOMAIN) this.#options.counters.unknownName();
    if (this.state.isStale) answer.extendedError = STALE;
    return answer;
  }
}

/** Types that only stand in other sections (RFC 6891, 8945) or mark proofs (RFC 9824 section 3.1). */
const FORMERR_TYPES: ReadonlySet<number> = new Set([TYPE.OPT, TYPE.TSIG, 128]);

const NOT_AUTHORITATIVE = { code: EXTENDED_ERROR.NOT_AUTHORITATIVE, text: 'not authoritative for this name' };
const TRANSFER_PROHIBITED = { code: EXTENDED_ERROR.PROHIBITED, text: 'zone transfer is not allowed' };
const NOT_READY = { code: EXTENDED_ERROR.NOT_READY, text: 'the registry is not loaded yet' };
const STALE = { code: EXTENDED_ERROR.STALE_ANSWER, text: 'the store has not been heard of lately' };
