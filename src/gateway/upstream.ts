// upstream.ts -- the connections to one port of one instance, kept alive between requests
//
// A connection is an undici Client, which carries one request at a time and connects again by itself. They are kept
// here and not by undici's Pool: the last one that came free is the next one used, so that those in excess of need
// grow idle and close, no request ever waits behind another, and all are known when the instance goes.

import type { Duplex } from 'node:stream';
import { buildConnector, Client } from 'undici';
import type { UpstreamTls } from './gateway-settings.ts';
import type { InstanceLoad } from './instance-load.ts';

/** Carries one request at a time, and connects again by itself. */
export class Connection extends Client {
  /** Requests that it was taken for. */
  uses = 0;
  /** The last one it had. */
  socket: Duplex | undefined;
  #patient: Duplex | undefined;

  /**
   * For requests with bodies: an instance may reply before it has all of it, and close (`413`). Writing fails then
   * while its reply is still to be read, so reading goes on for a moment.
   */
  readOnAfterBrokenWrites(): void {
    const { socket } = this;
    if (socket === undefined || socket === this.#patient) return;
    this.#patient = socket;
    const { _write: write, _writev: writeMany } = socket;
    socket._write = (chunk, encoding, done) => write.call(socket, chunk, encoding, patiently(done));
    if (writeMany) socket._writev = (chunks, done) => writeMany.call(socket, chunks, patiently(done));
  }
}

const READ_ON_MS = 200;

function patiently(done: (error?: Error | null) => void): (error?: Error | null) => void {
  return (error) => {
    if (error) setTimeout(done, READ_ON_MS, error).unref();
    else done();
  };
}

export interface UpstreamPlace {
  /** IP text or a host name. */
  readonly address: string;
  readonly port: number;
  readonly tls: UpstreamTls | undefined;
  /** In SNI and in the certificate. */
  readonly serverName: string;
}

const CONNECT_TIMEOUT_MS = 2000;
/** For servers that do not say how long they keep idle connections (`Keep-Alive: timeout=`). */
const KEEP_ALIVE_MS = 4000;
const MAX_HEADER_BYTES = 65_536;

export class Upstream {
  readonly place: UpstreamPlace;
  /** Of the instance, whatever the port. */
  readonly load: InstanceLoad;
  /** `host:port` as in a Host header. */
  readonly authority: string;
  readonly #connector: ReturnType<typeof buildConnector>;
  readonly #origin: string;
  readonly #all = new Set<Connection>();
  readonly #idle: Connection[] = [];
  readonly #onFree: () => void;
  #taken = 0;
  #isRetired = false;

  /** `onFree`: a connection came free. */
  constructor(place: UpstreamPlace, load: InstanceLoad, onFree: () => void) {
    const { address, port, tls } = place;
    this.place = place;
    this.load = load;
    this.#onFree = onFree;
    this.authority = `${address.includes(':') ? `[${address}]` : address}:${port}`;
    this.#origin = `${tls === undefined ? 'http' : 'https'}://${this.authority}`;
    this.#connector = buildConnector({ timeout: CONNECT_TIMEOUT_MS, ...tlsOptions(place) });
  }

  /** Connections in use: by a request or for an upgrade. */
  get taken(): number {
    return this.#taken;
  }

  /** Connections, idle ones too; those that are being opened count. */
  get connections(): number {
    return this.#all.size;
  }

  /** The instance is gone, or is elsewhere. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** One connection that is nobody else's until it is given back. `isFresh`: none that was used before. */
  take(isFresh: boolean): Connection {
    this.#taken++;
    const connection = (isFresh ? undefined : this.#idle.pop()) ?? this.#open();
    connection.uses++;
    return connection;
  }

  /** `isBroken`: it is not to be used again, and whatever it is doing is cut off. */
  giveBack(connection: Connection, isBroken: boolean): void {
    this.#taken--;
    if (isBroken || this.#isRetired) this.#drop(connection);
    else this.#idle.push(connection);
    this.#onFree();
  }

  /** A connection that is not one of these counts as well (upgrades). */
  takePlace(): void {
    this.#taken++;
  }

  givePlaceBack(): void {
    this.#taken--;
    this.#onFree();
  }

  /** Requests under way go on, and their connections close at their end; nothing new is to come. */
  retire(): void {
    this.#isRetired = true;
    for (const connection of this.#idle.splice(0)) this.#drop(connection);
  }

  /** Cut everything off. */
  destroy(): void {
    this.retire();
    for (const connection of this.#all) this.#drop(connection);
  }

  #open(): Connection {
    const connection = new Connection(this.#origin, {
      connect: (options, callback) => {
        this.#connector(options, (...[error, socket]) => {
          connection.socket = socket ?? undefined;
          if (error === null) callback(error, socket);
          else callback(error, null);
        });
      },
      pipelining: 1,
      // The gateway watches the time itself: these are too coarse, and set timers for every request.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    this.#all.add(connection);
    connection.on('disconnect', () => {
      const at = this.#idle.indexOf(connection);
      if (at < 0) return;
      this.#idle.splice(at, 1);
      this.#drop(connection);
    });
    return connection;
  }

  #drop(connection: Connection): void {
    this.#all.delete(connection);
    connection.destroy().catch(ignore);
  }
}

function ignore(): void {}

export function tlsOptions({ tls, serverName }: UpstreamPlace): object {
  if (tls === undefined) return {};
  const own = { servername: serverName, rejectUnauthorized: !tls.skipVerify };
  return tls.ca === undefined ? own : { ...own, ca: tls.ca };
}
