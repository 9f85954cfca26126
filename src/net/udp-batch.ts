// udp-batch.ts -- receives a batch of datagrams, answers each in place, sends the replies as a batch
//
// Everything is laid out once: slots for queries, replies, peers and control data, and the arrays of mmsghdr that point
// at them. Answering a datagram allocates nothing. A reply goes to the peer of the same slot, where the system put it.

import { FORWARD } from '../nameserver/verdict.ts';
import type { BatchAnswerer } from './answerer.ts';
import type { AskedDatagram } from './shard-questions.ts';
import { SockaddrClient } from './sockaddr-client.ts';
import { EAGAIN, EINTR, ENOBUFS, ENOMEM, MSG_DONTWAIT, MSG_WAITFORONE, type SocketCalls } from './socket-calls.ts';
import type { UdpDescriptor } from './udp-descriptor.ts';

const BATCH = 64;
/**
 * The largest reply over UDP (`dns.maxUdpSize` is at most that), and what is read of a query. The rest of a longer one
 * is cut off; whoever answers sees by the length that it is no query.
 */
const SLOT_BYTES = 4096;
/** sockaddr_in6 is the largest peer. */
const NAME_BYTES = 32;
/** cmsghdr and in6_pktinfo, padded. */
const CONTROL_BYTES = 64;
const HEADER_BYTES = 64;
const VECTOR_BYTES = 16;

// Offsets in 32-bit words inside a mmsghdr.
const NAME_LENGTH = 2;
const CONTROL_LENGTH = 10;
const MESSAGE_LENGTH = 14;
const HEADER_WORDS = HEADER_BYTES / 4;
/** Offset in 32-bit words of the length inside an iovec; lengths fit its lower half. */
const VECTOR_LENGTH = 2;
const VECTOR_WORDS = VECTOR_BYTES / 4;

/** Nothing came, or there is no memory at the moment: nothing is wrong with the socket. */
const PASSING: ReadonlySet<number> = new Set([EAGAIN, EINTR, ENOMEM, ENOBUFS]);

/** What is done beside answering. */
export interface UdpBatchEvents {
  /** A datagram came from port 0, where nobody can be answered. */
  onPortZero(): void;
  /** A datagram that others answer. Returns the length of a reply in `out` after all, when they cannot. */
  onForward(asked: AskedDatagram, out: Uint8Array): number;
}

const NO_EVENTS: UdpBatchEvents = { onPortZero: () => {}, onForward: () => 0 };

/** One socket with its buffers; lives as long as the shard, so that C may hold pointers into it. */
export class UdpBatch {
  readonly #calls: SocketCalls;
  readonly #events: UdpBatchEvents;
  readonly #fd: number;
  readonly #controlBytes: number;
  readonly #nameBytes: number;
  readonly #queries = new Uint8Array(BATCH * SLOT_BYTES);
  readonly #replies = new Uint8Array(BATCH * SLOT_BYTES);
  readonly #names = new Uint8Array(BATCH * NAME_BYTES);
  readonly #client: SockaddrClient;
  readonly #controls = new Uint8Array(BATCH * CONTROL_BYTES);
  readonly #vectors = new BigUint64Array((2 * BATCH * VECTOR_BYTES) / 8);
  readonly #headers = new Uint8Array(2 * BATCH * HEADER_BYTES);
  readonly #received: Uint8Array;
  readonly #sent: Uint8Array;
  readonly #words: Uint32Array;
  readonly #vectorWords: Uint32Array;
  readonly #querySlots: readonly Uint8Array[];
  readonly #replySlots: readonly Uint8Array[];
  /** How many headers the last receive may have written to. */
  #touched = 0;

  constructor(calls: SocketCalls, descriptor: UdpDescriptor, events: UdpBatchEvents = NO_EVENTS) {
    this.#calls = calls;
    this.#events = events;
    this.#fd = descriptor.fd;
    this.#nameBytes = descriptor.family === 4 ? 16 : 28;
    this.#client = new SockaddrClient(this.#names, descriptor.family);
    this.#controlBytes = descriptor.isWildcard ? CONTROL_BYTES : 0;
    this.#words = new Uint32Array(this.#headers.buffer);
    this.#vectorWords = new Uint32Array(this.#vectors.buffer);
    this.#received = this.#headers.subarray(0, BATCH * HEADER_BYTES);
    this.#sent = this.#headers.subarray(BATCH * HEADER_BYTES);
    const slots = (slab: Uint8Array): Uint8Array[] =>
      Array.from({ length: BATCH }, (_, i) => slab.subarray(i * SLOT_BYTES, (i + 1) * SLOT_BYTES));
    this.#querySlots = slots(this.#queries);
    this.#replySlots = slots(this.#replies);
    for (let i = 0; i < 2 * BATCH; i++) this.#layOut(i);
  }

  /** Headers 0..63 receive, 64..127 send; each has a vector of its own, while two share a peer and control data. */
  #layOut(index: number): void {
    const isReceive = index < BATCH;
    const slab = isReceive ? this.#queries : this.#replies;
    const slot = isReceive ? index : index - BATCH;
    const at = (buffer: Uint8Array, offset: number): bigint => this.#calls.addressOf(buffer) + BigInt(offset);
    this.#vectors[index * 2] = at(slab, slot * SLOT_BYTES);
    this.#vectors[index * 2 + 1] = BigInt(SLOT_BYTES);
    const header = new BigUint64Array(this.#headers.buffer, index * HEADER_BYTES, HEADER_BYTES / 8);
    header[0] = at(this.#names, slot * NAME_BYTES);
    header[1] = BigInt(this.#nameBytes);
    header[2] = at(new Uint8Array(this.#vectors.buffer), index * VECTOR_BYTES);
    header[3] = 1n;
    header[4] = this.#controlBytes === 0 ? 0n : at(this.#controls, slot * CONTROL_BYTES);
    header[5] = BigInt(this.#controlBytes);
  }

  /**
   * Wait for datagrams (with `wait`, until the socket's timeout), answer them and send the replies. `prepare` is called
   * between receiving and answering. Returns how many came; 0 when none did; -1 when the socket is broken.
   */
  turn(wait: boolean, prepare: () => void, answer: BatchAnswerer): number {
    for (let i = 0; i < this.#touched; i++) {
      const at = i * HEADER_WORDS;
      this.#words[at + NAME_LENGTH] = this.#nameBytes;
      this.#words[at + CONTROL_LENGTH] = this.#controlBytes;
    }
    const flags = wait ? MSG_WAITFORONE : MSG_DONTWAIT;
    const count = this.#calls.recvmmsg(this.#fd, this.#received, BATCH, flags, null);
    this.#touched = Math.max(count, 1);
    if (count <= 0) return PASSING.has(this.#calls.errno()) ? 0 : -1;
    prepare();
    let replies = 0;
    for (let i = 0; i < count; i++) if (this.#answerOne(i, replies, answer)) replies++;
    if (replies > 0) this.#send(replies);
    return count;
  }

  /** Answer query `i` into reply slot `reply`, which is no later; false when there is to be no reply. */
  #answerOne(i: number, reply: number, answer: BatchAnswerer): boolean {
    const nameAt = i * NAME_BYTES;
    // Nobody receives at port 0.
    if (this.#names[nameAt + 2] === 0 && this.#names[nameAt + 3] === 0) {
      this.#events.onPortZero();
      return false;
    }
    const received = this.#words[i * HEADER_WORDS + MESSAGE_LENGTH]!;
    this.#client.at = nameAt;
    let length = answer(this.#querySlots[i]!, received, this.#replySlots[reply]!, this.#client);
    if (length <= 0) {
      if (length !== FORWARD) return false;
      length = this.#events.onForward(this.#asked(i, received), this.#replySlots[reply]!);
      if (length === 0) return false;
    }
    this.#vectorWords[(BATCH + reply) * VECTOR_WORDS + VECTOR_LENGTH] = length;
    if (reply !== i) this.#names.copyWithin(reply * NAME_BYTES, nameAt, nameAt + this.#nameBytes);
    if (this.#controlBytes > 0) this.#returnControl(i, reply);
    return true;
  }

  /** Query `i`, copied, with all that a reply needs. */
  #asked(i: number, length: number): AskedDatagram {
    const nameAt = i * NAME_BYTES;
    const controlLength = this.#controlBytes === 0 ? 0 : this.#words[i * HEADER_WORDS + CONTROL_LENGTH]!;
    const control = this.#controls.slice(i * CONTROL_BYTES, i * CONTROL_BYTES + controlLength);
    if (controlLength > 0) this.#leaveInterface(control, 0);
    const query = this.#querySlots[i]!.slice(0, length);
    return { fd: this.#fd, query, peer: this.#names.slice(nameAt, nameAt + this.#nameBytes), control };
  }

  /**
   * The asked address goes back as the address to send from; a reply's interface is the system's to choose. Of an
   * in_pktinfo that is ipi_spec_dst, which the system filled in; it does not look at ipi_addr.
   */
  #returnControl(i: number, reply: number): void {
    const length = this.#words[i * HEADER_WORDS + CONTROL_LENGTH]!;
    const at = reply * CONTROL_BYTES;
    if (reply !== i) this.#controls.copyWithin(at, i * CONTROL_BYTES, i * CONTROL_BYTES + length);
    this.#words[(BATCH + reply) * HEADER_WORDS + CONTROL_LENGTH] = length;
    this.#leaveInterface(this.#controls, at);
  }

  /** Let the system choose the interface of control data at an offset. */
  #leaveInterface(control: Uint8Array, at: number): void {
    const isIpv4 = this.#nameBytes === 16;
    const interfaceAt = at + 16 + (isIpv4 ? 0 : 16);
    // A link-local address means nothing without its interface; for the others routing decides.
    const isLinkLocal = !isIpv4 && control[at + 16] === 0xfe && (control[at + 17]! & 0xc0) === 0x80;
    if (!isLinkLocal) control.fill(0, interfaceAt, interfaceAt + 4);
  }

  #send(count: number): void {
    let from = 0;
    while (from < count) {
      const messages = from === 0 ? this.#sent : this.#sent.subarray(from * HEADER_BYTES);
      const sent = this.#calls.sendmmsg(this.#fd, messages, count - from, 0);
      // One that cannot be sent (unreachable peer, say) must not hold up those behind it.
      if (sent > 0) from += sent;
      else if (this.#calls.errno() !== EINTR) from++;
    }
  }
}
