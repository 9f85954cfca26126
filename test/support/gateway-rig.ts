// gateway-rig.ts -- a gateway in the process of the test, in front of instances that are servers of node:http

import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import type { ExchangeRecord } from '../../src/gateway/exchange-record.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { DEFAULT_GATEWAY, DEFAULT_LIMITS, DEFAULT_RETRIES } from '../../src/gateway/gateway-defaults.ts';
import type { GatewayRoute, GatewaySettings } from '../../src/gateway/gateway-settings.ts';
import type { OutlierVerdict } from '../../src/gateway/outliers.ts';
import type { ServiceSource } from '../../src/gateway/service-source.ts';
import type { AnsweringService, Member } from '../../src/registry/member.ts';
import { NO_CLIENT_ZONES } from '../../src/routing/client-zones.ts';

export interface Scope {
  after(cleanup: () => unknown): void;
}

/** One service of which instances come and go. */
export class OneService implements ServiceSource {
  readonly instances = new Map<string, Member>();
  readonly #listeners = new Set<(service: string) => void>();

  service(name: string): AnsweringService | undefined {
    return name === 'shop' ? { name, policy: undefined, rollout: undefined, instances: this.instances } : undefined;
  }

  onChange(listener: (service: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  add(id: string, port: number, status: Member['status'] = 'healthy'): void {
    const instance = { id, service: 'shop', address: '127.0.0.1', port, ports: {}, tags: [], meta: {}, weight: 1 };
    this.instances.set(id, { status, instance });
    this.changed();
  }

  remove(id: string): void {
    this.instances.delete(id);
    this.changed();
  }

  changed(): void {
    for (const listener of this.#listeners) listener('shop');
  }
}

/** A server that counts its sockets. */
export class TestServer {
  readonly server: Server;
  readonly sockets = new Set<Socket>();
  readonly port: number;
  opened = 0;

  static async start(scope: Scope, server: Server): Promise<TestServer> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const started = new TestServer(server);
    scope.after(() => started.stop());
    return started;
  }

  constructor(server: Server) {
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      this.opened++;
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  async whenEmpty(): Promise<void> {
    while (this.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export type RouteSettings = Partial<GatewayRoute>;

export function settingsOf(route: RouteSettings = {}, more: Partial<GatewaySettings> = {}): GatewaySettings {
  const full: GatewayRoute = {
    name: 'all',
    hosts: [],
    prefix: '/',
    headers: {},
    service: 'shop',
    tags: [],
    port: undefined,
    rewrite: undefined,
    sticky: undefined,
    host: 'client',
    tls: undefined,
    timeoutMs: 30_000,
    idleTimeoutMs: 60_000,
    retries: DEFAULT_RETRIES,
    outliers: undefined,
    limits: DEFAULT_LIMITS,
    ...route,
  };
  return { ...DEFAULT_GATEWAY, routes: [full], ...more };
}

export class Rig {
  readonly gateway: Gateway;
  readonly source: OneService;
  readonly front: TestServer;
  readonly records: ExchangeRecord[] = [];
  readonly verdicts: OutlierVerdict[] = [];
  #onRecord: (() => void)[] = [];

  static async start(
    scope: Scope,
    handlers: readonly RequestListener[],
    route: RouteSettings = {},
    more: Partial<GatewaySettings> = {},
  ): Promise<{ rig: Rig; instances: TestServer[] }> {
    const source = new OneService();
    const instances: TestServer[] = [];
    for (const [i, handler] of handlers.entries()) {
      const instance = await TestServer.start(scope, createServer(handler));
      instances.push(instance);
      source.add(`i${i}`, instance.port);
    }
    const rig = new Rig(source, settingsOf(route, more));
    const server = createServer();
    rig.serve(server);
    const front = await TestServer.start(scope, server);
    Object.assign(rig, { front });
    scope.after(() => rig.gateway.close(0));
    return { rig, instances };
  }

  constructor(source: OneService, settings: GatewaySettings) {
    this.source = source;
    this.front = undefined as unknown as TestServer;
    this.gateway = new Gateway({
      source,
      settings,
      zones: () => NO_CLIENT_ZONES,
      clock: systemClock,
      random: systemRandom,
      onExchange: (record) => {
        this.records.push(record);
        for (const tell of this.#onRecord.splice(0)) tell();
      },
      onVerdict: (verdict) => this.verdicts.push(verdict),
    });
  }

  serve(server: Server): void {
    const handle = (request: IncomingMessage, response: ServerResponse): void => this.gateway.handle(request, response);
    server.on('request', handle);
    server.on('checkContinue', handle);
    server.on('upgrade', (request, socket, head) => this.gateway.upgrade(request, socket, head));
  }

  get url(): string {
    return `http://127.0.0.1:${this.front.port}`;
  }

  /** The first so many records. */
  async recorded(count: number): Promise<ExchangeRecord[]> {
    while (this.records.length < count) await new Promise<void>((resolve) => this.#onRecord.push(resolve));
    return this.records;
  }

  /** Everything that comes back for octets that are sent as they are, until the other side closes. */
  async raw(text: string): Promise<string> {
    const socket = connect(this.front.port, '127.0.0.1');
    socket.write(text, 'latin1');
    let reply = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      reply += chunk;
    });
    socket.on('error', () => {});
    await once(socket, 'close');
    return reply;
  }
}

/** A promise and what settles it. */
export function latch<T = void>(): { promise: Promise<T>; open: (value: T) => void } {
  let open!: (value: T) => void;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
