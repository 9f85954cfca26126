// demo-gateway-fleet.ts -- the instances of the demo: processes that are started, asked to leave, and killed

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CodedError } from '../base/errors.ts';

const SCRIPT = new URL(
  import.meta.url.endsWith('.ts') ? './demo-gateway-cart.ts' : './demo-gateway-cart.js',
  import.meta.url,
);
/** Newer versions are faster, so that the change is seen in the latencies. */
const WORK_MS: Readonly<Record<string, number>> = { v1: 20, v2: 15, v3: 10 };
const READY_DEADLINE_MS = 30_000;

/** A running instance. */
export interface Cart {
  readonly id: string;
  readonly version: string;
  readonly child: ChildProcess;
  /** Resolves when the process has ended. */
  readonly exited: Promise<void>;
}

/** All instances that were started and have not ended. */
export class Fleet {
  readonly #url: string;
  readonly #running = new Map<string, Cart>();
  readonly #started = new Map<string, number>();

  /** `url`: of the HTTP API. */
  constructor(url: string) {
    this.#url = url;
  }

  /** Start one and wait until it is healthy. Throws CodedError `toy_failed`. */
  async start(version: string): Promise<Cart> {
    const number = (this.#started.get(version) ?? 0) + 1;
    this.#started.set(version, number);
    const id = `cart-${version}-${number}`;
    const env = { CART_ID: id, CART_VERSION: version, CART_WORK_MS: String(WORK_MS[version] ?? 10) };
    const child = fork(fileURLToPath(SCRIPT), {
      env: { ...process.env, ...env, ROLLCALL_HTTP: this.#url },
      execArgv: SCRIPT.pathname.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const cart: Cart = { id, version, child, exited };
    this.#running.set(id, cart);
    void exited.then(() => this.#running.delete(id));
    const ready = once(child, 'message', { signal: AbortSignal.timeout(READY_DEADLINE_MS) }).then(
      () => true,
      () => false,
    );
    const isReady = await Promise.race([ready, exited.then(() => false)]);
    if (!isReady) throw new CodedError('toy_failed', `${id} has not become healthy`);
    return cart;
  }

  /** Ask one to take leave; resolves when it has, and its process has ended. */
  async leave({ child, exited }: Cart): Promise<void> {
    child.kill('SIGTERM');
    await exited;
  }

  /** End one without a warning. */
  kill({ child }: Cart): void {
    child.kill('SIGKILL');
  }

  /** End all, at once. */
  async stop(): Promise<void> {
    const running = [...this.#running.values()];
    for (const cart of running) this.kill(cart);
    await Promise.all(running.map(({ exited }) => exited));
  }
}
