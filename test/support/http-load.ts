// http-load.ts -- a steady stream of HTTP requests, every one of which is accounted for

import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { Address } from './built-server.ts';

/** One request and what came back; times by performance.now(). */
export interface HttpExchange {
  /** When it was due, which is when it was sent, or a little before. */
  readonly dueMs: number;
  readonly endMs: number;
  /** 0: the connection failed or broke off. */
  readonly status: number;
  /** Header `x-instance`. */
  readonly instance: string | undefined;
}

export interface HttpLoadOptions {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly perSecond: number;
}

const TICK_MS = 2;
const CONNECTIONS = 256;
const BODY = 'x'.repeat(64);

/** Open loop: requests are sent when they are due, whatever became of those before. */
export class HttpLoad {
  readonly #options: HttpLoadOptions;
  readonly #pool: Pool;
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #exchanges: HttpExchange[] = [];
  #sent = 0;

  constructor(scope: { after(cleanup: () => unknown): void }, { address, port }: Address, options: HttpLoadOptions) {
    this.#options = options;
    this.#pool = new Pool(`http://${address}:${port}`, { connections: CONNECTIONS });
    this.#timer = setInterval(() => this.#sendDue(), TICK_MS);
    scope.after(async () => {
      clearInterval(this.#timer);
      await this.#pool.destroy();
    });
  }

  /** How many were sent so far. */
  get sent(): number {
    return this.#sent;
  }

  /** Send no more, wait for what is under way, and tell of all. */
  async stop(): Promise<readonly HttpExchange[]> {
    clearInterval(this.#timer);
    const deadlineMs = performance.now() + 60_000;
    while (this.#exchanges.length < this.#sent && performance.now() < deadlineMs) await sleep(TICK_MS);
    await this.#pool.destroy();
    // The pool fails those that were still under way.
    while (this.#exchanges.length < this.#sent) await sleep(TICK_MS);
    return this.#exchanges;
  }

  #sendDue(): void {
    const due = Math.floor(((performance.now() - this.#startMs) * this.#options.perSecond) / 1000);
    while (this.#sent < due) void this.#send(this.#startMs + (++this.#sent * 1000) / this.#options.perSecond);
  }

  async #send(dueMs: number): Promise<void> {
    const { method, path } = this.#options;
    let [status, instance]: [number, string | undefined] = [0, undefined];
    try {
      const reply = await this.#pool.request({ method, path, ...(method === 'POST' ? { body: BODY } : {}) });
      await reply.body.text();
      status = reply.statusCode;
      instance = reply.headers['x-instance']?.toString();
    } catch {
      // A reply that breaks off counts as none.
      status = 0;
    }
    this.#exchanges.push({ dueMs, endMs: performance.now(), status, instance });
  }
}
