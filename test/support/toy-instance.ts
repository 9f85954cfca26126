// toy-instance.ts -- a small HTTP service as a process of its own, to be killed and started again

import type { TestContext } from 'node:test';
import { type RunningServer, spawnServer } from './tools.ts';

/** Plain JavaScript for `node -e`: it starts in a fraction of the time that a TypeScript file takes. */
const SCRIPT = `
const [address, port] = process.argv.slice(1);
const server = require('node:http').createServer((request, response) => {
  response.writeHead(request.url === '/health' ? 200 : 404, { 'content-type': 'text/plain' });
  response.end('well\\n');
});
server.listen(Number(port), address, () => console.log('port ' + server.address().port));
`;

/** A running or killed service. */
export class ToyInstance {
  readonly address: string;
  readonly port: number;
  readonly #start: (port: number) => Promise<RunningServer>;
  #process: RunningServer;

  private constructor(address: string, start: (port: number) => Promise<RunningServer>, running: RunningServer) {
    this.address = address;
    this.port = Number(/port (\d+)/.exec(running.stdout())?.[1]);
    this.#start = start;
    this.#process = running;
  }

  /** Start one on any port of an address unless a port is given; `prefix` goes in front of the command. */
  static async start(
    t: Pick<TestContext, 'after'>,
    address: string,
    { port = 0, prefix = [] }: { port?: number; prefix?: readonly string[] } = {},
  ): Promise<ToyInstance> {
    const start = (wanted: number): Promise<RunningServer> => {
      const [command = '', ...args] = [...prefix, process.execPath, '-e', SCRIPT, address, String(wanted)];
      return spawnServer(t, command, args, { ready: /^port \d+$/m });
    };
    return new ToyInstance(address, start, await start(port));
  }

  /** What to register: an HTTP check of its health, with what is stated about it. */
  registration(check: object = {}): object {
    const url = `http://${this.address.includes(':') ? `[${this.address}]` : this.address}:${this.port}/health`;
    return { address: this.address, port: this.port, checks: [{ type: 'http', url, ...check }] };
  }

  /** Kill it without a warning; returns when that was, by performance.now(). */
  async kill(): Promise<number> {
    const killedMs = performance.now();
    await this.#process.stop('SIGKILL');
    return killedMs;
  }

  /** Start it again where it was. */
  async restart(): Promise<void> {
    this.#process = await this.#start(this.port);
  }
}
