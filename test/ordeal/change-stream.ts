// change-stream.ts -- health flips, registrations and deregistrations at stated rates, over HTTP, beside a load

import { Pool } from 'undici';
import type { BuiltServer } from '../support/built-server.ts';

/** Services that are asked about, and the instances of each; instance 0 is always healthy. */
export const STEADY_SERVICES = 200;
const INSTANCES = 5;
/** Instances that come and go, in services of their own. */
const VISITORS = 5000;
const VISITED_SERVICES = 50;
const TICKS_PER_SECOND = 100;
const CONNECTIONS = 16;

/** Multiples of 100. */
export interface ChangeRates {
  readonly flipsPerSecond: number;
  readonly registrationsPerSecond: number;
  readonly deregistrationsPerSecond: number;
}

export class ChangeStream {
  /** Acknowledged so far. */
  readonly done = { flips: 0, registrations: 0, deregistrations: 0 };
  readonly #pool: Pool;
  readonly #pending = new Set<Promise<unknown>>();
  #timer: NodeJS.Timeout | undefined;
  #failure: unknown;
  #flips = 0;
  #visits = 0;

  private constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Registers the instances that stay; `svc-0.service.local` and on can be asked for then. */
  static async open(scope: { after(cleanup: () => unknown): void }, server: BuiltServer): Promise<ChangeStream> {
    const stream = new ChangeStream(new Pool(server.url, { connections: CONNECTIONS }));
    scope.after(() => stream.#pool.destroy());
    for (let s = 0; s < STEADY_SERVICES; s++) {
      const all = Array.from({ length: INSTANCES }, (_, i) =>
        stream.#register(`svc-${s}`, `svc-${s}-${i}`, s, i, true),
      );
      await Promise.all(all);
    }
    return stream;
  }

  /** Change at these rates until `stop`; those really reached are in `done`. */
  start(rates: ChangeRates): void {
    const { flipsPerSecond, registrationsPerSecond, deregistrationsPerSecond } = rates;
    this.#timer = setInterval(() => {
      // Behind by more than a second, more requests would only wait.
      if (this.#pending.size > flipsPerSecond + registrationsPerSecond + deregistrationsPerSecond) return;
      this.#startSome(flipsPerSecond, 'flips', () => this.#flip(this.#flips++));
      this.#startSome(registrationsPerSecond, 'registrations', () => this.#comeIn(this.#visits++));
      // Who came half a round ago goes.
      this.#startSome(deregistrationsPerSecond, 'deregistrations', () => this.#goAway(this.#visits++ + VISITORS / 2));
    }, 1000 / TICKS_PER_SECOND);
  }

  /** Resolves when all is acknowledged; rejects when one was not. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Register the only instance of a service. */
  async registerAlone(service: string, address: string): Promise<void> {
    await this.#send('PUT', `/v1/services/${service}/instances/${service}`, { address, port: 80 });
  }

  #startSome(perSecond: number, kind: keyof ChangeStream['done'], change: () => Promise<void>): void {
    for (let i = 0; i < perSecond / TICKS_PER_SECOND; i++) {
      const work = change()
        .then(() => {
          this.done[kind]++;
        })
        .catch((error: unknown) => {
          this.#failure ??= error;
        });
      this.#pending.add(work);
      void work.finally(() => this.#pending.delete(work));
    }
  }

  async #flip(turn: number): Promise<void> {
    const id = `svc-${turn % STEADY_SERVICES}-${1 + (Math.floor(turn / STEADY_SERVICES) % (INSTANCES - 1))}`;
    const isDown = Math.floor(turn / (STEADY_SERVICES * (INSTANCES - 1))) % 2 === 0;
    await this.#send('PUT', `/v1/instances/${id}/heartbeat`, { status: isDown ? 'critical' : 'passing' });
  }

  async #comeIn(visit: number): Promise<void> {
    const n = visit % VISITORS;
    await this.#register(`extra-${n % VISITED_SERVICES}`, `extra-${n}`, n, visit % 250, false);
  }

  async #goAway(visit: number): Promise<void> {
    // Nobody need be there: the next one in may not have come yet.
    await this.#send('DELETE', `/v1/instances/extra-${visit % VISITORS}`, undefined, 404);
  }

  async #register(service: string, id: string, a: number, b: number, isChecked: boolean): Promise<void> {
    const checks = isChecked ? [{ type: 'heartbeat', interval: '10m', initial: 'passing' }] : [];
    const address = `10.${a >> 8}.${a & 255}.${b + 1}`;
    await this.#send('PUT', `/v1/services/${service}/instances/${id}`, { address, port: 80, checks });
  }

  async #send(method: 'PUT' | 'DELETE', path: string, content?: object, alsoGood?: number): Promise<void> {
    const request = content === undefined ? {} : { body: JSON.stringify(content), headers: JSON_HEADERS };
    const { statusCode, body } = await this.#pool.request({ method, path, ...request });
    const text = await body.text();
    if (statusCode >= 300 && statusCode !== alsoGood) throw new Error(`${path}: ${statusCode} ${text}`);
  }
}

const JSON_HEADERS = { 'content-type': 'application/json' };
