// demo-gateway-load.ts -- a steady stream of requests to the gateway, and what came of them

import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { type Endpoint, formatEndpoint } from '../base/ip.ts';

const PER_SECOND = 200;
/** One request of so many is a POST, which may not be sent twice. */
const POST_EVERY = 20;
const TICK_MS = 5;
const CONNECTIONS = 64;
const PATH = '/api/cart/items';
/** What counts as now. */
const RECENT_MS = 3000;
const STOP_DEADLINE_MS = 5000;

/** What came of all requests so far; latencies in milliseconds. */
export interface LoadTotals {
  readonly requests: number;
  /** Of those that may be sent twice (GET). */
  readonly failed: number;
  /** POSTs, and those of them that failed. */
  readonly posts: number;
  readonly failedPosts: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What an instance had of the last seconds. */
export interface RecentShare {
  /** 0..1 */
  readonly share: number;
  readonly meanMs: number;
}

interface Reply {
  readonly atMs: number;
  readonly instance: string;
  readonly tookMs: number;
}

/** Sends from its making on, whatever becomes of earlier requests. */
export class DemoLoad {
  readonly #pool: Pool;
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #latencies: number[] = [];
  readonly #failures: string[] = [];
  #recent: Reply[] = [];
  #sent = 0;
  #ended = 0;
  #posts = 0;
  #failedPosts = 0;

  constructor(gateway: Endpoint) {
    this.#pool = new Pool(`http://${formatEndpoint(gateway)}`, { connections: CONNECTIONS });
    this.#timer = setInterval(() => this.#sendDue(), TICK_MS);
  }

  get totals(): LoadTotals {
    const sorted = Float64Array.from(this.#latencies).sort();
    return {
      requests: this.#ended,
      failed: this.#failures.length,
      posts: this.#posts,
      failedPosts: this.#failedPosts,
      p50Ms: percentile(sorted, 0.5),
      p99Ms: percentile(sorted, 0.99),
    };
  }

  /** Why the first requests failed that should not have. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** By instance; those without replies in the last seconds are not in it. */
  recent(): ReadonlyMap<string, RecentShare> {
    const fromMs = performance.now() - RECENT_MS;
    this.#recent = this.#recent.filter(({ atMs }) => atMs >= fromMs);
    const sums = new Map<string, { replies: number; ms: number }>();
    for (const { instance, tookMs } of this.#recent) {
      const { replies, ms } = sums.get(instance) ?? { replies: 0, ms: 0 };
      sums.set(instance, { replies: replies + 1, ms: ms + tookMs });
    }
    const all = this.#recent.length;
    return new Map(
      Array.from(sums, ([id, { replies, ms }]) => [id, { share: replies / all, meanMs: ms / replies }] as const),
    );
  }

  /** Send no more and wait for what is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const untilMs = performance.now() + STOP_DEADLINE_MS;
    while (this.#ended < this.#sent && performance.now() < untilMs) await sleep(TICK_MS);
    await this.#pool.destroy();
    while (this.#ended < this.#sent) await sleep(TICK_MS);
  }

  #sendDue(): void {
    const due = Math.floor(((performance.now() - this.#startedMs) * PER_SECOND) / 1000);
    while (this.#sent < due) void this.#send(++this.#sent % POST_EVERY === 0);
  }

  async #send(isPost: boolean): Promise<void> {
    const sentMs = performance.now();
    const request = isPost ? ({ method: 'POST', body: '{}' } as const) : ({ method: 'GET' } as const);
    let failure: string | undefined;
    let instance = '';
    try {
      const { statusCode, headers, body } = await this.#pool.request({ path: PATH, ...request });
      await body.dump();
      instance = String(headers['x-instance'] ?? '');
      if (statusCode !== 200) failure = `status ${statusCode}`;
    } catch (thrown) {
      failure = (thrown as Error).message;
    }
    this.#ended++;
    if (isPost) this.#posts++;
    if (failure === undefined) this.#noteReply(instance, sentMs);
    else if (isPost) this.#failedPosts++;
    else this.#failures.push(failure);
  }

  #noteReply(instance: string, sentMs: number): void {
    const atMs = performance.now();
    this.#latencies.push(atMs - sentMs);
    this.#recent.push({ atMs, instance, tookMs: atMs - sentMs });
  }
}

function percentile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
