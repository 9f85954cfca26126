// gateway-instance.ts -- a service behind a gateway as a process of its own, to be killed, stopped and started again

import { fileURLToPath } from 'node:url';
import { type RunningServer, spawnServer } from './tools.ts';

const SCRIPT = fileURLToPath(new URL('./gateway-instance-process.mjs', import.meta.url));
const ADDRESS = '127.0.0.1';

interface Scope {
  after(cleanup: () => unknown): void;
}

export class GatewayInstance {
  readonly id: string;
  readonly #start: (port: number) => Promise<RunningServer>;
  #process: RunningServer;
  readonly #port: number;

  private constructor(id: string, start: (port: number) => Promise<RunningServer>, running: RunningServer) {
    this.id = id;
    this.#start = start;
    this.#process = running;
    this.#port = Number(/port (\d+)/.exec(running.stdout())?.[1]);
  }

  /** On any port; `/work` is answered after the delay. */
  static async start(scope: Scope, id: string, delayMs = 0): Promise<GatewayInstance> {
    const start = (port: number): Promise<RunningServer> =>
      spawnServer(scope, process.execPath, [SCRIPT, id, ADDRESS, String(port), String(delayMs)], {
        ready: /^port \d+$/m,
        readyTimeoutMs: 60_000,
      });
    return new GatewayInstance(id, start, await start(0));
  }

  /** What to register. */
  registration(parts: object = {}): object {
    return { address: ADDRESS, port: this.#port, ...parts };
  }

  /** Kill it without a warning; returns when that was, by performance.now(). */
  async kill(): Promise<number> {
    const killedMs = performance.now();
    await this.#process.stop('SIGKILL');
    return killedMs;
  }

  /** Let it end what is under way. */
  async stop(): Promise<void> {
    await this.#process.stop();
  }

  /** Start it again where it was. */
  async restart(): Promise<void> {
    this.#process = await this.#start(this.#port);
  }
}
