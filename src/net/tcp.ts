// tcp.ts -- listens for DNS over TCP (RFC 7766) and over TLS (RFC 7858), and sees connections to their first query

import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { type Endpoint, type IpAddress, isLoopback } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import { AddressClient } from '../nameserver/client.ts';
import type { Answerer, Deferred } from './answerer.ts';
import { ConnectionClient, peerAddress } from './connection-client.ts';
import { ConnectionTable, DRAIN_MS, type DropCause, type Greeting } from './connection-table.ts';
import { eventLoopTurn } from './event-loop-turn.ts';
import type { TrustedProxies } from './proxied-datagrams.ts';
import { takeProxyHeader } from './proxied-stream.ts';
import { readPlainly, readShared } from './shared-reads.ts';
import { TcpConnection } from './tcp-connection.ts';
import type { TlsGreeter } from './tls-greeter.ts';

const BACKLOG = 511;
/** Failures to accept are logged so often at most. */
const LOG_EVERY_MS = 10_000;
const MAX_DECISECONDS = 65_535;

export interface TcpOptions {
  readonly answer: Answerer;
  /** Without it, no answerer may come to such verdicts. */
  readonly deferred?: Deferred | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Shared by all listeners of a server; without it the listener has one of its own. */
  readonly table?: ConnectionTable | undefined;
  /** With it, connections are DNS over TLS. */
  readonly tls?: TlsGreeter | undefined;
  /** Who has to tell for whom it asks; asked anew for every connection. */
  readonly proxies?: (() => TrustedProxies) | undefined;
}

export class TcpListener {
  readonly #server: Server;
  readonly #options: TcpOptions;
  readonly #table: ConnectionTable;
  readonly #connections = new Set<TcpConnection>();
  readonly #greetings = new Set<Greeting>();
  #endpoint: Endpoint;
  #isClosing = false;
  #whenEmpty: () => void = () => {};
  #loggedMs = Number.NEGATIVE_INFINITY;

  private constructor(endpoint: Endpoint, options: TcpOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#table = options.table ?? new ConnectionTable(options.clock);
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  /** Open a listener; port 0 lets the system choose. Rejects with the system's error. */
  static async open(endpoint: Endpoint, options: TcpOptions): Promise<TcpListener> {
    const listener = new TcpListener(endpoint, options);
    const server = listener.#server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: endpoint.address, port: endpoint.port, ipv6Only: true, backlog: BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', (error) => listener.#acceptFailed(error));
    const bound = server.address();
    if (bound !== null && typeof bound === 'object') listener.#endpoint = { ...endpoint, port: bound.port };
    return listener;
  }

  /** The endpoint with the port it really has. */
  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  get connectionCount(): number {
    return this.#connections.size + this.#greetings.size;
  }

  /** A wildcard takes connections for every address that the machine has. */
  async refresh(): Promise<void> {}

  /** Accept no more, answer what has arrived, let the replies be taken, then close what is left. */
  async close(): Promise<void> {
    const { clock } = this.#options;
    let deadline = clock.after(DRAIN_MS, () => {
      for (const greeting of this.#greetings) greeting.destroy();
      for (const connection of this.#connections) {
        if (connection.isFinishing) connection.destroy();
        else connection.finish();
      }
      deadline = clock.after(DRAIN_MS, () => {
        for (const connection of this.#connections) connection.destroy();
      });
    });
    // The system has said yes to more clients than we know of.
    await eventLoopTurn();
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.leave();
    if (this.connectionCount > 0) {
      await new Promise<void>((resolve) => {
        this.#whenEmpty = resolve;
      });
    }
    await closed;
    deadline.cancel();
  }

  /** Such as running out of descriptors: the connection is lost, and the longest idle one makes room for the next. */
  #acceptFailed(error: NodeJS.ErrnoException): void {
    if (error.code === 'EMFILE' || error.code === 'ENFILE') this.#table.evict();
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#loggedMs < LOG_EVERY_MS) return;
    this.#loggedMs = nowMs;
    this.#options.log.warn({ err: error, endpoint: this.#endpoint }, 'a TCP connection could not be accepted');
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {});
    const peer = peerAddress(socket.remoteAddress);
    // Gone already.
    if (peer === undefined || this.#isClosing) {
      socket.destroy();
      return;
    }
    const proxies = this.#options.proxies?.();
    const isProxied = proxies !== undefined && !proxies.isEmpty && proxies.includes(new AddressClient(peer.text));
    if (isProxied) this.#takeHeader(socket, peer);
    else if (this.#options.tls !== undefined) this.#shakeHands(socket, peer);
    else this.#begin(peer, (receive) => readShared(socket, receive));
  }

  #takeHeader(socket: Socket, peer: IpAddress): void {
    const { tls } = this.#options;
    const greeted = this.#greet(socket, 'proxy');
    takeProxyHeader(socket, (header) => {
      if (!greeted()) return;
      if (header === undefined) this.#fail(socket, 'proxy');
      else if (tls !== undefined) this.#shakeHands(socket, header.source ?? peer);
      else this.#begin(header.source ?? peer, (receive) => readPlainly(socket, receive));
    });
  }

  #shakeHands(socket: Socket, client: IpAddress): void {
    const greeted = this.#greet(socket, 'handshake');
    this.#options.tls!.greet(socket, (secured) => {
      if (!greeted()) return;
      if (secured === undefined) this.#fail(socket, 'handshake');
      else this.#begin(client, (receive) => readPlainly(secured, receive));
    });
  }

  /** Count it as a greeting until the function returned is called, which says whether it still was one. */
  #greet(socket: Socket, cause: DropCause): () => boolean {
    const table = this.#table;
    const end = (): boolean => {
      const was = this.#greetings.delete(greeting);
      if (was) table.greeted(greeting);
      return was;
    };
    const greeting: Greeting = {
      transport: this.#transport,
      sinceMs: table.clock.monotonicMs(),
      cause,
      destroy: () => {
        end();
        socket.destroy();
        this.#settle();
      },
    };
    this.#greetings.add(greeting);
    socket.once('close', () => {
      // The client went away, which is no reason to count anything.
      end();
      this.#settle();
    });
    table.greet(greeting);
    return end;
  }

  #fail(socket: Socket, cause: DropCause): void {
    this.#table.dropped(cause);
    socket.destroy();
    this.#settle();
  }

  /** From here on the client may ask. */
  #begin(address: IpAddress, read: (receive: (octets: Uint8Array) => boolean) => Socket): void {
    const { answer, deferred } = this.#options;
    const table = this.#table;
    const keepalive = (): number =>
      this.#isClosing || table.isNearlyFull
        ? 0
        : Math.min(Math.floor(table.limits.idleTimeoutMs / 100), MAX_DECISECONDS);
    const client = new ConnectionClient(address, keepalive);
    const connection: TcpConnection = new TcpConnection(read, {
      answer,
      deferred,
      table,
      transport: this.#transport,
      client,
      source: sourceOf(address),
      onClose: () => {
        this.#connections.delete(connection);
        this.#settle();
      },
    });
    this.#connections.add(connection);
    if (this.#isClosing) connection.leave();
  }

  get #transport(): 'tcp' | 'tls' {
    return this.#options.tls === undefined ? 'tcp' : 'tls';
  }

  #settle(): void {
    if (this.connectionCount === 0) this.#whenEmpty();
  }
}

/** Octets of an IPv6 address that one customer of a provider usually has: a /56. */
const SITE_OCTETS = 7;

/** What connections are counted under; undefined for loopback, where whoever is there asks for others. */
function sourceOf(address: IpAddress): string | undefined {
  if (isLoopback(address)) return undefined;
  return address.family === 4 ? address.text : `/${address.bytes.subarray(0, SITE_OCTETS).join('.')}`;
}
