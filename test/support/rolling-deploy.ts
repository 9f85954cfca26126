// rolling-deploy.ts -- instances behind the gateway are replaced in order and killed without a warning, under load
//
// All the while new instances are registered, waited for until they are healthy, and old ones drained, stopped and
// deregistered; and at random one is killed and started again a little later.

import { setTimeout as sleep } from 'node:timers/promises';
import type { BuiltServer } from './built-server.ts';
import { GatewayInstance } from './gateway-instance.ts';
import { SERVICE, startGatewayServer } from './gateway-server.ts';
import { type HttpExchange, HttpLoad } from './http-load.ts';

export interface DeployOptions {
  readonly seconds: number;
  readonly instances: number;
  /** Requests that may be tried again. */
  readonly getsPerSecond: number;
  /** Requests that may not. */
  readonly postsPerSecond: number;
}

export interface DeployResult {
  readonly gets: number;
  /** Statuses of GETs that failed: 0 where the connection did. */
  readonly failedGets: readonly number[];
  readonly posts: number;
  /** Statuses of POSTs that failed while an instance was being killed: they may have been under way there. */
  readonly failedInFlight: readonly number[];
  /** Those that failed at any other time. */
  readonly failedElsewhere: readonly number[];
  readonly replaced: number;
  readonly killed: number;
}

interface Scope {
  after(cleanup: () => unknown): void;
}

const WORK_MS = 20;
/** How long a process goes on taking requests after we asked for its end, and the gateway does not know of it. */
const DYING_MS = 100;
const DOWN_MS = 500;
const BETWEEN_MS = 300;

export async function deployUnderLoad(scope: Scope, options: DeployOptions): Promise<DeployResult> {
  const { server, gateway } = await startGatewayServer(scope);
  const fleet = new Fleet(scope, server);
  for (let i = 0; i < options.instances; i++) await fleet.add();
  const gets = new HttpLoad(scope, gateway, { method: 'GET', path: '/work', perSecond: options.getsPerSecond });
  const posts = new HttpLoad(scope, gateway, { method: 'POST', path: '/work', perSecond: options.postsPerSecond });
  const untilMs = performance.now() + options.seconds * 1000;
  // A kill and a replacement never meet in one instance: each takes its own out of the list meanwhile.
  await Promise.all([repeat(untilMs, () => fleet.replaceOldest()), repeat(untilMs, () => fleet.killOne())]);
  const [allGets, allPosts] = await Promise.all([gets.stop(), posts.stop()]);
  const failed = allPosts.filter(hasFailed);
  return {
    gets: allGets.length,
    failedGets: allGets.filter(hasFailed).map(({ status }) => status),
    posts: allPosts.length,
    failedInFlight: failed.filter((each) => fleet.wasKilledDuring(each)).map(({ status }) => status),
    failedElsewhere: failed.filter((each) => !fleet.wasKilledDuring(each)).map(({ status }) => status),
    replaced: fleet.replaced,
    killed: fleet.killedAtMs.length,
  };
}

function hasFailed({ status }: HttpExchange): boolean {
  return status !== 200;
}

async function repeat(untilMs: number, action: () => Promise<void>): Promise<void> {
  while (performance.now() < untilMs) {
    await action();
    await sleep(BETWEEN_MS);
  }
}

/** The instances that run. */
class Fleet {
  readonly killedAtMs: number[] = [];
  replaced = 0;
  readonly #scope: Scope;
  readonly #server: BuiltServer;
  readonly #running: GatewayInstance[] = [];
  #started = 0;

  constructor(scope: Scope, server: BuiltServer) {
    this.#scope = scope;
    this.#server = server;
  }

  /** Start one, register it and wait until it is healthy. */
  async add(): Promise<void> {
    const instance = await GatewayInstance.start(this.#scope, `cart-${++this.#started}`, WORK_MS);
    const check = { type: 'http', url: '/health', interval: '1s', rise: 1 };
    await this.#server.register(SERVICE, instance.id, instance.registration({ checks: [check] }));
    await this.#server.untilStatus(SERVICE, instance.id, 'healthy', 60_000);
    this.#running.push(instance);
  }

  async replaceOldest(): Promise<void> {
    await this.add();
    const oldest = this.#running.shift()!;
    await this.#call('POST', `/v1/instances/${oldest.id}/drain`);
    await oldest.stop();
    await this.#call('DELETE', `/v1/instances/${oldest.id}`);
    this.replaced++;
  }

  /** Never the oldest, which may be the next to be replaced. */
  async killOne(): Promise<void> {
    const at = 1 + Math.floor(Math.random() * (this.#running.length - 1));
    const [victim] = this.#running.splice(at, 1);
    if (victim === undefined) return;
    this.killedAtMs.push(await victim.kill());
    await sleep(DOWN_MS);
    await victim.restart();
    await this.#server.untilStatus(SERVICE, victim.id, 'healthy', 60_000);
    this.#running.push(victim);
  }

  wasKilledDuring({ dueMs, endMs }: HttpExchange): boolean {
    return this.killedAtMs.some((killedMs) => dueMs <= killedMs + DYING_MS && endMs >= killedMs);
  }

  async #call(method: string, path: string): Promise<void> {
    const { status } = await this.#server.api(method, path);
    if (status >= 300) throw new Error(`${method} ${path}: HTTP ${status}`);
  }
}
