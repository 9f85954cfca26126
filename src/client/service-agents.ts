// service-agents.ts -- agents of node:http and node:https for which names of services are hosts, and a `lookup`

import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { type AgentOptions, type ClientRequestArgs, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions as HttpsAgentOptions, type RequestOptions } from 'node:https';
import { connect, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { type EndpointSource, type ServiceHost, serviceHost } from './endpoint-source.ts';
import type { Lease } from './lease.ts';
import { RollcallError, toRollcallError } from './rollcall-error.ts';

export interface ServiceAgentParts {
  readonly source: EndpointSource;
  readonly domains: readonly string[];
  /** Other instances that are tried when one cannot be connected to. */
  readonly retries: number;
}

/** How long one instance may take to accept a connection. */
const CONNECT_MS = 5000;

/** What an agent's `createConnection` calls back. */
type Connected = (error: Error | null, stream: Duplex) => void;
type Open = (lease: Lease) => Socket;

/** An instance is picked for each connection; `keepAlive` keeps to it until the connection ends. */
export class ServiceHttpAgent extends HttpAgent {
  readonly #connections: ServiceConnections;

  constructor(parts: ServiceAgentParts, options: AgentOptions = {}) {
    super(options);
    this.#connections = new ServiceConnections(parts);
  }

  override createConnection(options: ClientRequestArgs, callback?: Connected): Duplex | null | undefined {
    const host = this.#connections.hostOf(options);
    if (host === undefined || callback === undefined) return super.createConnection(options, callback);
    const open: Open = ({ address, port }) => connect({ ...bare(options), host: address, port });
    this.#connections.connect(host, open, callback);
    return undefined;
  }

  override destroy(): void {
    this.#connections.close();
    super.destroy();
  }
}

/** The same over TLS: the name in the certificate is that of the service. */
export class ServiceHttpsAgent extends HttpsAgent {
  readonly #connections: ServiceConnections;

  constructor(parts: ServiceAgentParts, options: HttpsAgentOptions = {}) {
    super(options);
    this.#connections = new ServiceConnections(parts);
  }

  override createConnection(options: RequestOptions, callback?: Connected): Duplex | null | undefined {
    const host = this.#connections.hostOf(options);
    if (host === undefined || callback === undefined) return super.createConnection(options, callback);
    const tls = { servername: host.name, ...bare(options) };
    const open: Open = ({ address, port }) => connectTls({ ...tls, host: address, port });
    this.#connections.connect(host, open, callback);
    return undefined;
  }

  override destroy(): void {
    this.#connections.close();
    super.destroy();
  }
}

/** `lookup` of node:net, node:http and others: addresses only, so the port must be known. */
export type ServiceLookup = (
  hostname: string,
  options: LookupOptions,
  callback: (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void,
) => void;

/** A `lookup` that answers for services, one picked instance at a time, and asks the system for all else. */
export function createServiceLookup({ source, domains }: ServiceAgentParts): ServiceLookup {
  return (hostname, options, callback) => {
    const host = serviceHost(hostname, domains);
    if (host === undefined) {
      systemLookup(hostname, options, callback);
      return;
    }
    source.pick(host, []).then(
      (lease) => {
        // Who only asks for an address never says when it is done.
        lease.done();
        const family = isIP(lease.address);
        if (family === 0) systemLookup(lease.address, options, callback);
        else if (options.all === true) callback(null, [{ address: lease.address, family }]);
        else callback(null, lease.address, family);
      },
      (thrown) => callback(Object.assign(toRollcallError(thrown), { hostname }), ''),
    );
  };
}

/** Where to connect to is the instance's to say. */
function bare(options: ClientRequestArgs): object {
  const { host: _host, hostname: _name, port: _port, path: _path, lookup: _lookup, ...rest } = options;
  return rest;
}

/** The connections of one agent that are being made. */
class ServiceConnections {
  readonly #parts: ServiceAgentParts;
  readonly #connecting = new Set<Socket>();
  #isClosed = false;

  constructor(parts: ServiceAgentParts) {
    this.#parts = parts;
  }

  hostOf({ host }: ClientRequestArgs): ServiceHost | undefined {
    return typeof host === 'string' ? serviceHost(host, this.#parts.domains) : undefined;
  }

  /** Connect to one instance after the other, and call back with the first connection that stands. */
  connect(host: ServiceHost, open: Open, callback: Connected): void {
    const tried: string[] = [];
    const fail = callback as (error: Error) => void;
    const attempt = async (last?: Error): Promise<void> => {
      let lease: Lease;
      try {
        lease = await this.#parts.source.pick(host, tried);
      } catch (thrown) {
        fail(last ?? toRollcallError(thrown));
        return;
      }
      tried.push(lease.id);
      const socket = open(lease);
      this.#connecting.add(socket);
      if (this.#isClosed) socket.destroy(new RollcallError('closed', 'the agent is closed'));
      const timer = setTimeout(() => socket.destroy(new Error(`${lease.url()} does not answer`)), CONNECT_MS);
      const onEnd = (error?: Error | boolean): void => {
        this.#settle(socket, timer);
        lease.done(this.#isClosed ? {} : { failed: true });
        const why = error instanceof Error ? error : new RollcallError('closed', 'the connection was ended');
        if (!this.#isClosed && tried.length <= this.#parts.retries) void attempt(why);
        else fail(why);
      };
      let isSettled = false;
      const onceEnded = (error?: Error | boolean): void => {
        if (!isSettled) onEnd(error);
        isSettled = true;
      };
      socket.once('error', onceEnded);
      socket.once('close', onceEnded);
      socket.once('connect', () => {
        isSettled = true;
        this.#settle(socket, timer);
        socket.off('error', onceEnded);
        socket.off('close', onceEnded);
        // A connection counts as a request under way for as long as it stands.
        socket.once('close', () => lease.done({ failed: false }));
        callback(null, socket);
      });
    };
    void attempt();
  }

  close(): void {
    this.#isClosed = true;
    for (const socket of this.#connecting) socket.destroy();
  }

  #settle(socket: Socket, timer: NodeJS.Timeout): void {
    clearTimeout(timer);
    this.#connecting.delete(socket);
  }
}
