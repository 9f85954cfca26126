// bulk-port.ts -- UDP sockets at the speed of sendmmsg, from any address of this machine, to load a server with

import { loadSocketCalls, MSG_DONTWAIT, type SocketCalls } from '../../src/net/socket-calls.ts';
import { openUdpDescriptor } from '../../src/net/udp-descriptor.ts';
import type { Address } from './built-server.ts';

/** Datagrams in one call. */
export const BULK = 64;
const SLOT_BYTES = 4096;
const HEADER_BYTES = 64;
const LENGTH_WORD = 14;

/** Several sockets with buffers in common. Throws without koffi: there is no other way to be that fast. */
export class BulkPort {
  readonly #calls: SocketCalls;
  readonly #sockets: number[];
  readonly #slab = Buffer.alloc(2 * BULK * SLOT_BYTES);
  readonly #peer: Buffer;
  readonly #vectors = new BigUint64Array(2 * BULK * 2);
  readonly #headers = Buffer.alloc(2 * BULK * HEADER_BYTES);
  readonly #received = this.#headers.subarray(BULK * HEADER_BYTES);

  /** One socket for each source address. */
  constructor(server: Address, sources: readonly string[]) {
    const calls = loadSocketCalls();
    if (typeof calls === 'string') throw new Error(calls);
    this.#calls = calls;
    this.#sockets = sources.map((address) => openUdpDescriptor(calls, { address, port: 0 }, true).fd);
    const address = server.address.split('.').map(Number);
    this.#peer = Buffer.concat([Buffer.of(2, 0, server.port >> 8, server.port & 0xff, ...address), Buffer.alloc(8)]);
    for (let i = 0; i < 2 * BULK; i++) this.#layOut(i);
  }

  get sockets(): number {
    return this.#sockets.length;
  }

  /** Send at most 64 messages from one of the sockets; returns how many the system took. */
  send(socket: number, messages: readonly Uint8Array[]): number {
    for (const [i, message] of messages.entries()) {
      this.#slab.set(message.subarray(0, SLOT_BYTES), i * SLOT_BYTES);
      this.#vectors[i * 2 + 1] = BigInt(Math.min(message.length, SLOT_BYTES));
    }
    return Math.max(0, this.#calls.sendmmsg(this.#sockets[socket]!, this.#headers, messages.length, 0));
  }

  /** Take what has come to one of the sockets; returns how many. The octets are there during the call only. */
  receive(socket: number, onReply: (reply: Buffer) => void): number {
    const fd = this.#sockets[socket]!;
    const count = this.#calls.recvmmsg(fd, this.#received, BULK, MSG_DONTWAIT, null);
    for (let i = 0; i < count; i++) {
      const at = (BULK + i) * SLOT_BYTES;
      onReply(this.#slab.subarray(at, at + this.#received.readUInt32LE(i * HEADER_BYTES + LENGTH_WORD * 4)));
    }
    return Math.max(0, count);
  }

  close(): void {
    for (const fd of this.#sockets) this.#calls.close(fd);
  }

  /** Headers 0..63 send to the server, 64..127 receive; who sent does not matter, for nobody else does. */
  #layOut(index: number): void {
    const at = (buffer: Uint8Array, offset: number): bigint => this.#calls.addressOf(buffer) + BigInt(offset);
    this.#vectors[index * 2] = at(this.#slab, index * SLOT_BYTES);
    this.#vectors[index * 2 + 1] = BigInt(SLOT_BYTES);
    const header = this.#headers.subarray(index * HEADER_BYTES);
    if (index < BULK) {
      header.writeBigUInt64LE(at(this.#peer, 0), 0);
      header.writeUInt32LE(this.#peer.length, 8);
    }
    header.writeBigUInt64LE(at(new Uint8Array(this.#vectors.buffer), index * 16), 16);
    header.writeBigUInt64LE(1n, 24);
  }
}
