// malformed-crew.ts -- a process that sends malformed messages over UDP and TCP, and judges every reply
//
// Forked by malformed.ts. Messages go out in rounds; each ends with a question in order, and when that is answered, so
// is all that ever will be: a socket's datagrams reach one shard in order, and replies over TCP come in order.

import type { Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { seededRandom } from '../../src/base/random.ts';
import { RCODE } from '../../src/dns/codes.ts';
import { decodeMessage } from '../../src/dns/message.ts';
import type { Address } from './built-server.ts';
import { BULK, BulkPort } from './bulk-port.ts';
import { framed, openSocket } from './hostile-traffic.ts';
import { queryCorpus } from './query-corpus.ts';
import { queryOctets } from './query-text.ts';
import { isSoundQuery } from './sound-query.ts';
import { hexOf } from './wire.ts';

export interface MalformedOptions {
  readonly server: Address;
  readonly seeds: readonly number[];
  /** Malformed messages of each seed; those in order are not counted. */
  readonly overUdp: number;
  readonly overTcp: number;
}

export interface MalformedReport {
  /** Malformed ones. */
  readonly sent: number;
  /** All of them. */
  readonly messages: number;
  readonly replies: number;
  readonly rcodes: Readonly<Record<string, number>>;
  /** What went wrong: a text for the first few of each kind, and how many there were. */
  readonly faults: Readonly<Record<string, { count: number; examples: string[] }>>;
  readonly seconds: number;
}

const LAST_ID = 0xffff;
const LAST = queryOctets('last.invalid. A', LAST_ID);
const PATIENCE_MS = 10_000;
const ROUNDS_PER_CONNECTION = 20;
const MAX_MESSAGE = 4096;
const EXAMPLES = 3;
const QR = 0x80;

const { server, seeds, overUdp, overTcp } = JSON.parse(process.argv[2]!) as MalformedOptions;
setPriority(process.pid, constants.priority.PRIORITY_LOW);
const startMs = performance.now();
const counts = { sent: 0, messages: 0, replies: 0 };
const rcodes: Record<string, number> = {};
const faults: Record<string, { count: number; examples: string[] }> = {};

async function throughUdp(seed: number): Promise<void> {
  const port = new BulkPort(server, ['127.0.0.1']);
  for (const round of rounds(seed, overUdp)) {
    const replies: Buffer[] = [];
    port.send(0, [...round, LAST]);
    const deadlineMs = performance.now() + PATIENCE_MS;
    let isOver = false;
    while (!isOver) {
      port.receive(0, (reply) => {
        if (isLast(reply)) isOver = true;
        else replies.push(Buffer.from(reply));
      });
      if (performance.now() > deadlineMs) {
        fault('the server went silent', round.at(-1)!);
        break;
      }
      if (!isOver) await setImmediate();
    }
    judge(round, replies, isOver);
  }
  port.close();
}

async function throughTcp(seed: number): Promise<void> {
  const all = rounds(seed + 1000, overTcp);
  for (let next = all.next(); !next.done; ) {
    const stream = await Stream.open();
    for (let i = 0; i < ROUNDS_PER_CONNECTION && !next.done && !stream.isClosed; i++) {
      const { replies, isWhole } = await stream.exchange(next.value);
      if (!isWhole) fault('the server closed the connection or went silent', next.value.at(-1)!);
      judge(next.value, replies, isWhole);
      next = all.next();
    }
    stream.close();
  }
}

/** One TCP connection. */
class Stream {
  isClosed = false;
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  static async open(): Promise<Stream> {
    return new Stream(await openSocket(server));
  }

  /** `isWhole`: the last question was answered, and so all that ever will be. */
  async exchange(round: readonly Buffer[]): Promise<{ replies: Buffer[]; isWhole: boolean }> {
    const replies: Buffer[] = [];
    const timer = setTimeout(() => this.#socket.destroy(), PATIENCE_MS);
    this.#socket.write(Buffer.concat([...round, LAST].map(framed)));
    try {
      for (;;) {
        const reply = this.#take();
        if (reply !== undefined && isLast(reply)) return { replies, isWhole: true };
        if (reply !== undefined) replies.push(reply);
        else if (this.isClosed) return { replies, isWhole: false };
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(): Buffer | undefined {
    if (this.#received.length < 2 || this.#received.length < 2 + this.#received.readUInt16BE(0)) return undefined;
    const end = 2 + this.#received.readUInt16BE(0);
    const reply = this.#received.subarray(2, end);
    this.#received = this.#received.subarray(end);
    return reply;
  }
}

function isLast(reply: Buffer): boolean {
  return reply.length >= 2 && reply.readUInt16BE(0) === LAST_ID;
}

/** Messages in rounds, their places in them for ids; not empty, for that ends a connection. */
function* rounds(seed: number, malformed: number): Generator<Buffer[], undefined> {
  let round: Buffer[] = [];
  let left = malformed;
  if (left === 0) return;
  for (const message of queryCorpus(seededRandom(seed), Number.POSITIVE_INFINITY)) {
    const octets = Buffer.from(message.subarray(0, MAX_MESSAGE));
    if (octets.length === 0) continue;
    if (octets.length >= 2) octets.writeUInt16BE(round.length, 0);
    round.push(octets);
    if (!isSoundQuery(octets)) left--;
    if (round.length < BULK - 1 && left > 0) continue;
    yield round;
    if (left === 0) return;
    round = [];
  }
}

/** `isWhole`: what has not been answered will not be. */
function judge(round: readonly Buffer[], replies: readonly Buffer[], isWhole: boolean): void {
  const answered = new Set<number>();
  counts.messages += round.length;
  counts.replies += replies.length;
  for (const message of round) if (!isSoundQuery(message)) counts.sent++;
  for (const reply of replies) {
    const id = reply.length >= 2 ? reply.readUInt16BE(0) : -1;
    const query = round[id];
    if (query === undefined || query.length < 2) fault('a reply with a wrong id', reply);
    else if (answered.has(id)) fault('two replies', query);
    else judgeReply(query, reply);
    answered.add(id);
  }
  if (!isWhole) return;
  for (const [id, query] of round.entries())
    if (query.length >= 12 && (query[2]! & QR) === 0 && !answered.has(id)) fault('no reply to a whole header', query);
}

function judgeReply(query: Buffer, reply: Buffer): void {
  const what = faultOf(query, reply);
  if (what !== undefined) fault(what, query);
}

function faultOf(query: Buffer, reply: Buffer): string | undefined {
  if (query.length < 12) return 'a reply to no whole header';
  if ((query[2]! & QR) !== 0) return 'a reply to a response';
  if ((reply[2]! & QR) === 0) return 'a reply that is none';
  if (((reply[2]! ^ query[2]!) & 0x78) !== 0) return 'a reply of another opcode';
  const rcode = rcodeIn(reply);
  if (rcode === undefined) return 'a malformed reply';
  rcodes[rcode] = (rcodes[rcode] ?? 0) + 1;
  if (rcode === RCODE.SERVFAIL) return 'SERVFAIL';
  if ((rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) || isSoundQuery(query)) return undefined;
  // A query without a question may ask for a cookie, and is then answered so (RFC 7873 section 5.4).
  const isCookieAlone = query.readUInt16BE(4) === 0 && reply.readUInt16BE(6) === 0;
  return isCookieAlone ? undefined : 'an answer to what is malformed';
}

function rcodeIn(reply: Buffer): number | undefined {
  try {
    return decodeMessage(reply).rcode;
  } catch {
    return undefined;
  }
}

function fault(what: string, message: Uint8Array): void {
  faults[what] ??= { count: 0, examples: [] };
  const found = faults[what];
  found.count++;
  if (found.examples.length < EXAMPLES) found.examples.push(hexOf(message));
}

for (const seed of seeds) {
  await throughUdp(seed);
  await throughTcp(seed);
}
const seconds = (performance.now() - startMs) / 1000;
process.send?.({ ...counts, rcodes, faults, seconds } satisfies MalformedReport, () => process.exit());
