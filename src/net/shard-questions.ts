// shard-questions.ts -- datagrams that a shard cannot answer itself: handed to the main thread, which replies through
// the shard's own socket
//
// A count in shared memory bounds what waits for the main thread, so that a flood ends in SERVFAIL and not in memory.

import type { MessagePort } from 'node:worker_threads';
import type { Client } from '../nameserver/client.ts';
import { SockaddrClient } from './sockaddr-client.ts';
import { MSG_DONTWAIT, type SocketCalls } from './socket-calls.ts';
import type { UdpDescriptor } from './udp-descriptor.ts';

/** A datagram as a shard received it; all buffers its own. */
export interface AskedDatagram {
  readonly fd: number;
  readonly query: Uint8Array;
  /** sockaddr_in or sockaddr_in6. */
  readonly peer: Uint8Array;
  /** What makes the reply leave from the address that was asked; empty where there is but one. */
  readonly control: Uint8Array;
}

/** What a shard says of one. */
export interface AskedReport {
  readonly asked: AskedDatagram;
}

/** Of one shard, on their way to the main thread. */
const MAX_ON_THE_WAY = 1024;

/** Memory for the count of one shard. */
export function createQuestionMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(4);
}

/** The shard's side. */
export class QuestionSender {
  readonly #port: MessagePort;
  readonly #onTheWay: Int32Array;

  constructor(port: MessagePort, memory: SharedArrayBuffer) {
    this.#port = port;
    this.#onTheWay = new Int32Array(memory);
  }

  /** False when too many are on the way. */
  send(asked: AskedDatagram): boolean {
    if (Atomics.load(this.#onTheWay, 0) >= MAX_ON_THE_WAY) return false;
    Atomics.add(this.#onTheWay, 0, 1);
    this.#port.postMessage({ asked } satisfies AskedReport);
    return true;
  }
}

/** The main thread has taken one in. */
export function takenIn(memory: SharedArrayBuffer): void {
  Atomics.sub(new Int32Array(memory), 0, 1);
}

/** The sender of a datagram. */
export function askerOf({ peer }: AskedDatagram, family: 4 | 6): Client {
  return new SockaddrClient(peer, family);
}

/** mmsghdr, and the iovec behind it. */
const HEADER_BYTES = 64;
const VECTOR_BYTES = 16;
const MAX_NAME_BYTES = 32;
const MAX_CONTROL_BYTES = 64;
/** No reply over UDP is larger (`dns.maxUdpSize`). */
const MAX_MESSAGE_BYTES = 4096;

/** Sends one datagram at a time through a descriptor; lives as long as the pool, since C holds pointers into it. */
export class DatagramSender {
  readonly #calls: SocketCalls;
  readonly #name = new Uint8Array(MAX_NAME_BYTES);
  readonly #control = new Uint8Array(MAX_CONTROL_BYTES);
  readonly #message = new Uint8Array(MAX_MESSAGE_BYTES);
  readonly #header = new Uint8Array(HEADER_BYTES + VECTOR_BYTES);
  readonly #words: BigUint64Array;

  constructor(calls: SocketCalls) {
    this.#calls = calls;
    this.#words = new BigUint64Array(this.#header.buffer);
    this.#words[0] = calls.addressOf(this.#name);
    this.#words[2] = calls.addressOf(this.#header) + BigInt(HEADER_BYTES);
    this.#words[3] = 1n;
    this.#words[HEADER_BYTES / 8] = calls.addressOf(this.#message);
  }

  /** Send a reply to where the question came from. One that the system does not take at once is lost, as datagrams are. */
  send({ fd }: UdpDescriptor, { peer, control }: AskedDatagram, message: Uint8Array): void {
    if (message.length > MAX_MESSAGE_BYTES) return;
    this.#name.set(peer);
    this.#control.set(control);
    this.#message.set(message);
    this.#words[1] = BigInt(peer.length);
    this.#words[4] = control.length === 0 ? 0n : this.#calls.addressOf(this.#control);
    this.#words[5] = BigInt(control.length);
    this.#words[HEADER_BYTES / 8 + 1] = BigInt(message.length);
    // The socket blocks, for the shard's sake; this thread must not.
    this.#calls.sendmmsg(fd, this.#header, 1, MSG_DONTWAIT);
  }
}
