// http-listeners.ts -- the HTTP(S) listeners: opened, changed by a reload, closed in order

import type { ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { CodedError, errorMessage } from '../base/errors.ts';
import { type Endpoint, formatEndpoint } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import { ConnectionRoom } from './connection-room.ts';
import { type FrontOptions, HttpFront, type TlsMaterial } from './http-front.ts';
import type { HttpLimits } from './http-limits.ts';

/** What a reload may change. */
export interface WantedHttp {
  /** Port 0: the system picks one. */
  readonly listen: readonly Endpoint[];
  readonly tls?: TlsMaterial | undefined;
}

/** What is open beside what is in force. Either of the two is called, once. */
export interface PreparedHttp {
  /** Put it in force, at once. What is not wanted any more ends by itself; true when there is such. */
  take(): boolean;
  /** Close what was opened. */
  abandon(): Promise<void>;
}

export interface ListenersOptions extends FrontOptions {
  /** What error messages call them. */
  readonly name: string;
  readonly log: Logger;
}

/** For requests under way at an endpoint that a reload takes away. */
const LEAVE_GRACE_MS = 30_000;

interface Listening {
  readonly acceptor: Acceptor;
  readonly front: HttpFront;
}

/** All the sockets that one kind of requests comes by. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #room: ConnectionRoom;
  /** By the endpoint as it was asked for; where port 0 was asked for several times, with a number. */
  #open = new Map<string, Listening>();
  /** Accept no more, and answer what is under way. */
  readonly #leaving = new Set<HttpFront>();
  #isClosing = false;

  /** None is open yet. */
  constructor(options: ListenersOptions) {
    this.#options = options;
    this.#room = new ConnectionRoom(options.limits);
  }

  /** Where they are bound, in the order asked for. */
  get addresses(): Endpoint[] {
    return [...this.#open.values()].map(({ acceptor }) => acceptor.address);
  }

  /** Is this reply to be the last one on its connection? */
  isLast(response: ServerResponse): boolean {
    if (this.#isClosing) return true;
    for (const front of this.#leaving) if (front.has(response)) return true;
    return false;
  }

  /**
   * Open what is new of these endpoints; those open already stay as they are, with their connections, unless TLS is
   * turned on or off or makes other demands on clients. Rejects, with nothing changed, with CodedError `listen_failed`
   * when some cannot be opened, and names all of them.
   */
  async prepare({ listen, tls }: WantedHttp): Promise<PreparedHttp> {
    const next = new Map<string, Listening>();
    const opened: { close(graceMs: number): Promise<void> }[] = [];
    const failures: string[] = [];
    for (const endpoint of listen) {
      const key = keyOf(endpoint, next);
      const known = this.#open.get(key);
      try {
        const front = known?.front.canTake(tls) ? known.front : this.#createFront(tls);
        if (front !== known?.front) opened.push(front);
        const acceptor = known?.acceptor ?? (await this.#accept(endpoint, front));
        if (acceptor !== known?.acceptor) opened.push(acceptor);
        next.set(key, { acceptor, front });
      } catch (error) {
        failures.push(errorMessage(error));
      }
    }
    const abandon = async (): Promise<void> => {
      await Promise.all(opened.map((each) => each.close(0)));
    };
    if (failures.length > 0) {
      await abandon();
      throw new CodedError('listen_failed', failures.join('; '));
    }
    return {
      take: () => this.#exchange(next, tls),
      abandon,
    };
  }

  /** Accept nothing more, wait at most `graceMs` for the requests under way, then cut them off. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    const open = [...this.#open.values()];
    const fronts = [...this.#leaving, ...open.map(({ front }) => front)];
    const acceptors = open.map(({ acceptor }) => acceptor);
    await Promise.all([...acceptors.map((each) => each.close()), ...fronts.map((each) => each.close(graceMs))]);
  }

  #exchange(next: Map<string, Listening>, tls: TlsMaterial | undefined): boolean {
    const before = this.#open;
    let isLeaving = false;
    this.#open = next;
    for (const { acceptor, front } of next.values()) {
      acceptor.front = front;
      front.setTls(tls);
    }
    for (const [key, { acceptor, front }] of before) {
      const now = next.get(key);
      if (now === undefined) void acceptor.close();
      if (now?.front === front) continue;
      isLeaving = true;
      this.#leave(front);
    }
    return isLeaving;
  }

  #leave(front: HttpFront): void {
    this.#leaving.add(front);
    void front.close(LEAVE_GRACE_MS).then(() => this.#leaving.delete(front));
  }

  #createFront(tls: TlsMaterial | undefined): HttpFront {
    return new HttpFront(tls, this.#options);
  }

  async #accept(endpoint: Endpoint, front: HttpFront): Promise<Acceptor> {
    try {
      return await Acceptor.open(endpoint, { ...this.#options, room: this.#room, front });
    } catch (error) {
      const own = this.addresses.find(({ port }) => endpoint.port !== 0 && port === endpoint.port);
      const hint = own === undefined ? '' : ` (this server itself listens on ${formatEndpoint(own)}; restart it)`;
      throw new Error(
        `${this.#options.name}: cannot listen on ${formatEndpoint(endpoint)}: ${errorMessage(error)}${hint}`,
      );
    }
  }
}

function keyOf(endpoint: Endpoint, taken: ReadonlyMap<string, unknown>): string {
  const text = formatEndpoint(endpoint);
  let key = text;
  for (let i = 2; taken.has(key); i++) key = `${text} ${i}`;
  return key;
}

interface AcceptorOptions {
  readonly name: string;
  readonly limits: HttpLimits;
  readonly log: Logger;
  readonly room: ConnectionRoom;
  readonly front: HttpFront;
}

/** One listening socket, which hands each connection to the front of the time. */
class Acceptor {
  readonly address: Endpoint;
  front: HttpFront;
  readonly #server: Server;

  private constructor(endpoint: Endpoint, server: Server, { name, front, room, log }: AcceptorOptions) {
    this.address = { address: endpoint.address, port: (server.address() as AddressInfo).port };
    this.front = front;
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      if (room.admit(socket)) this.front.serve(socket);
    });
    // Such as running out of descriptors: the listener goes on when some are free again.
    server.on('error', (error) => log.error({ err: error }, `${name} listener`));
  }

  /** Rejects with the system's error. */
  static async open(endpoint: Endpoint, options: AcceptorOptions): Promise<Acceptor> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.maxConnections = options.limits.maxConnections;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: endpoint.address, port: endpoint.port, ipv6Only: true }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    return new Acceptor(endpoint, server, options);
  }

  /** Accept nothing more; resolves when what it accepted is closed. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
