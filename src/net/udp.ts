// udp.ts -- DNS over UDP by node:dgram
//
// A reply must leave from the address that was asked (RFC 2181 section 4). node:dgram does not tell that address, so a
// wildcard listener is opened as one socket for each address of the machine; addresses that come later are taken up
// when somebody calls `refresh`.

import dgram from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { type Endpoint, isUnspecified, parseIp } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import { AddressClient } from '../nameserver/client.ts';
import { FORWARD } from '../nameserver/verdict.ts';
import type { Answerer, Deferred } from './answerer.ts';
import { eventLoopTurn } from './event-loop-turn.ts';
import type { UdpSide } from './udp-side.ts';

/** Room for bursts while the event loop is busy; the system caps it at net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
const MAX_REPLY = 65535;
/** How long a listener that is closed waits for the replies of upstreams. */
const MAX_LAST_REPLIES_MS = 5000;
/** A socket that is left is read for so many turns of the event loop at most: each takes 32 datagrams or more. */
const MAX_LAST_TURNS = 256;

export interface UdpOptions {
  readonly answer: Answerer;
  /** Without it, no answerer may come to such verdicts. */
  readonly deferred?: Deferred | undefined;
  readonly log: Logger;
  /** Told of each datagram that came from port 0. */
  readonly onPortZero?: () => void;
}

/** A UDP listener as configured; behind a wildcard there are several sockets. */
export class UdpListener implements UdpSide {
  readonly #options: UdpOptions;
  readonly #wildcard: 4 | 6 | undefined;
  readonly #sockets = new Map<string, dgram.Socket>();
  readonly #client = new AddressClient();
  #reply = Buffer.allocUnsafeSlow(MAX_REPLY);
  #endpoint: Endpoint;
  #closed = false;
  /** Questions that wait for an upstream. */
  #forwarded = 0;
  #onIdle: () => void = () => {};

  private constructor(endpoint: Endpoint, options: UdpOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
    const address = parseIp(endpoint.address)!;
    this.#wildcard = isUnspecified(address) ? address.family : undefined;
  }

  /**
   * Open a listener; port 0 lets the system choose. Rejects with the system's error (EADDRINUSE, EACCES, ...).
   */
  static async open(endpoint: Endpoint, options: UdpOptions): Promise<UdpListener> {
    const listener = new UdpListener(endpoint, options);
    try {
      for (const address of listener.#wanted()) await listener.#bindOrSkip(address);
    } catch (error) {
      await listener.close();
      throw error;
    }
    return listener;
  }

  /** The endpoint with the port it really has. */
  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  /** Follow the machine's addresses: open sockets for new ones, close those of vanished ones. Wildcards only. */
  async refresh(): Promise<void> {
    if (this.#wildcard === undefined || this.#closed) return;
    const wanted = this.#wanted();
    for (const [address, socket] of this.#sockets) {
      if (wanted.includes(address)) continue;
      this.#sockets.delete(address);
      socket.close();
    }
    for (const address of wanted) {
      if (this.#sockets.has(address)) continue;
      await this.#bind(address).catch((error: unknown) => {
        this.#options.log.warn({ err: error, address }, 'cannot listen on a new address');
      });
    }
  }

  /** Answer what has arrived, then stop; replies handed to the system are sent. */
  async close(): Promise<void> {
    this.#closed = true;
    const sockets = [...this.#sockets.values()];
    await readOut(sockets);
    for (const socket of sockets) socket.removeAllListeners('message');
    await this.#lastReplies();
    this.#sockets.clear();
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(resolve))));
  }

  /** Resolves when what is asked upstream is answered, or has had its time. */
  async #lastReplies(): Promise<void> {
    if (this.#forwarded === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      timer = setTimeout(resolve, MAX_LAST_REPLIES_MS);
    });
    clearTimeout(timer);
  }

  #wanted(): string[] {
    if (this.#wildcard === undefined) return [this.#endpoint.address];
    const family = this.#wildcard === 4 ? 'IPv4' : 'IPv6';
    return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
      (addresses ?? [])
        .filter((each) => each.family === family)
        .map((each) => (each.address.startsWith('fe80:') ? `${each.address}%${name}` : each.address)),
    );
  }

  /** One address of a wildcard may be going or not ready yet (IPv6 looks for duplicates first); `refresh` follows. */
  async #bindOrSkip(address: string): Promise<void> {
    await this.#bind(address).catch((error: unknown) => {
      if (this.#wildcard === undefined || (error as NodeJS.ErrnoException).code !== 'EADDRNOTAVAIL') throw error;
      this.#options.log.warn({ err: error, address }, 'cannot listen on an address yet');
    });
  }

  async #bind(address: string): Promise<void> {
    const family = address.includes(':') ? ({ type: 'udp6', ipv6Only: true } as const) : ({ type: 'udp4' } as const);
    const socket = dgram.createSocket({ ...family, lookup: keepAddress });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address, port: this.#endpoint.port }, () => {
        socket.off('error', reject);
        resolve();
      });
    }).catch((error: unknown) => {
      socket.close();
      throw error;
    });
    // Closed while the address was being taken up.
    if (this.#closed) {
      socket.close();
      return;
    }
    socket.on('error', (error) => this.#options.log.warn({ err: error, address }, 'UDP socket failed'));
    socket.on('message', (query, from) => this.#receive(socket, query, from));
    this.#growBuffer(socket);
    this.#endpoint = { ...this.#endpoint, port: socket.address().port };
    this.#sockets.set(address, socket);
  }

  #growBuffer(socket: dgram.Socket): void {
    try {
      socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    } catch {
      // The system's default will do.
    }
  }

  #receive(socket: dgram.Socket, query: Buffer, from: dgram.RemoteInfo): void {
    // Nobody can receive at port 0, and Node throws when asked to send there.
    if (from.port === 0) {
      this.#options.onPortZero?.();
      return;
    }
    this.#client.text = from.address;
    const length = this.#options.answer(query, 'udp', this.#reply, this.#client);
    if (length === FORWARD) this.#forward(socket, Uint8Array.from(query), from);
    if (length <= 0) return;
    socket.send(this.#reply, 0, length, from.port, from.address);
    // The system nearly always takes the octets at once. What it put off it reads later, so those stay as they are.
    if (socket.getSendQueueCount() > 0) this.#reply = Buffer.allocUnsafeSlow(MAX_REPLY);
  }

  #forward(socket: dgram.Socket, query: Uint8Array, { address, port }: dgram.RemoteInfo): void {
    this.#forwarded++;
    this.#options.deferred?.forward(query, 'udp', new AddressClient(address), (message) => {
      if ([...this.#sockets.values()].includes(socket)) socket.send(message, port, address);
      if (--this.#forwarded === 0) this.#onIdle();
    });
  }
}

/** Resolves when nothing is left in the sockets' buffers that came before. */
async function readOut(sockets: readonly dgram.Socket[]): Promise<void> {
  let hasHeard = false;
  const listen = (): void => {
    hasHeard = true;
  };
  for (const socket of sockets) socket.on('message', listen);
  for (let turns = 0; turns < MAX_LAST_TURNS; turns++) {
    hasHeard = false;
    await eventLoopTurn();
    if (!hasHeard) break;
  }
}

/**
 * In place of dns.lookup, which costs a turn of the event loop for every reply. Addresses are all that is ever given
 * here: they come from the configuration, from the machine, and from datagrams.
 */
function keepAddress(address: string, _: unknown, done: (error: null, address: string, family: number) => void): void {
  done(null, address, address.includes(':') ? 6 : 4);
}
