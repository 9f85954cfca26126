// tcp.ts -- DNS over TCP (RFC 7766): bounded in connections, patience and memory

import { createServer, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { Endpoint } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import type { Answerer, Deferred } from './answerer.ts';
import { TcpConnection } from './tcp-connection.ts';

/** Bounds of a listener; times in milliseconds. */
export interface TcpLimits {
  /** Connections at once; one more makes the longest idle one give way. */
  readonly maxConnections: number;
  /** Without a whole query for so long, a connection is closed. */
  readonly idleTimeoutMs: number;
  /** A client that takes no replies for so long is dropped. */
  readonly writeTimeoutMs: number;
}

export const TCP_LIMITS: TcpLimits = { maxConnections: 1024, idleTimeoutMs: 10_000, writeTimeoutMs: 5000 };

const SWEEP_MS = 1000;
/** How long a client may take to close its side when we have closed ours, at a stop and otherwise. */
const DRAIN_MS = 1000;

export interface TcpOptions {
  readonly answer: Answerer;
  /** Without it, no answerer may come to such verdicts. */
  readonly deferred?: Deferred | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits?: TcpLimits;
}

export class TcpListener {
  readonly #server: Server;
  readonly #options: TcpOptions;
  readonly #limits: TcpLimits;
  readonly #connections = new Map<Socket, TcpConnection>();
  #sweep: Timer | undefined;
  #endpoint: Endpoint;

  private constructor(endpoint: Endpoint, options: TcpOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#limits = options.limits ?? TCP_LIMITS;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Open a listener; port 0 lets the system choose. Rejects with the system's error. */
  static async open(endpoint: Endpoint, options: TcpOptions): Promise<TcpListener> {
    const listener = new TcpListener(endpoint, options);
    const server = listener.#server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: endpoint.address, port: endpoint.port, ipv6Only: true, backlog: 511 }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    // Running out of descriptors, for one: the connection is lost, the server goes on.
    server.on('error', (error) => options.log.warn({ err: error }, 'TCP listener failed'));
    const bound = server.address();
    if (bound !== null && typeof bound === 'object') listener.#endpoint = { ...endpoint, port: bound.port };
    listener.#armSweep();
    return listener;
  }

  /** The endpoint with the port it really has. */
  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Accept no more, let replies under way be taken, then close what is left. */
  async close(): Promise<void> {
    this.#sweep?.cancel();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections.values()) connection.finish();
    const deadline = this.#options.clock.after(DRAIN_MS, () => {
      for (const connection of this.#connections.values()) connection.destroy();
    });
    await closed;
    deadline.cancel();
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= this.#limits.maxConnections) this.#evict();
    const { answer, deferred, clock } = this.#options;
    const connection = new TcpConnection(socket, { answer, deferred, clock, transport: 'tcp' });
    this.#connections.set(socket, connection);
    socket.on('close', () => this.#connections.delete(socket));
  }

  /** Make room: the connection that asked nothing for longest goes, whether or not it is in the middle of something. */
  #evict(): void {
    let idlest: [Socket, TcpConnection] | undefined;
    for (const entry of this.#connections) {
      if (idlest === undefined || entry[1].lastQueryMs < idlest[1].lastQueryMs) idlest = entry;
    }
    if (idlest === undefined) return;
    this.#connections.delete(idlest[0]);
    idlest[1].destroy();
  }

  #armSweep(): void {
    this.#sweep = this.#options.clock.after(SWEEP_MS, () => {
      const nowMs = this.#options.clock.monotonicMs();
      for (const connection of this.#connections.values()) {
        const blockedMs = nowMs - (connection.blockedSinceMs ?? nowMs);
        const finishedMs = nowMs - (connection.finishedSinceMs ?? nowMs);
        if (blockedMs > this.#limits.writeTimeoutMs || finishedMs > DRAIN_MS) connection.destroy();
        else if (nowMs - connection.lastQueryMs > this.#limits.idleTimeoutMs) {
          if (connection.isBusy) connection.destroy();
          else connection.finish();
        }
      }
      this.#armSweep();
    });
  }
}
