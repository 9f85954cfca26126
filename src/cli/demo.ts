// demo.ts -- `rollcall demo`: a server with three toy instances whose health can be broken and mended

import { once } from 'node:events';
import { createServer as createHttpServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { CodedError, errorMessage, LocatedError } from '../base/errors.ts';
import { type Endpoint, formatEndpoint } from '../base/ip.ts';
import { loadConfig } from '../config/load-config.ts';
import { TYPE } from '../dns/codes.ts';
import { integerOption, type Shell } from './client-command.ts';
import { freeOrAny } from './demo-ports.ts';
import { ApiClient } from './http-client.ts';
import { printable } from './output.ts';
import { runServer } from './serve.ts';
import type { Terminal } from './terminal.ts';

const SERVICE = 'cart-service';
const NAME = `${SERVICE}.service.local`;
const TOY_PORT = 8080;
const ASK_EVERY_MS = 1000;

interface DemoOptions {
  readonly dns?: string;
  readonly http?: string;
  readonly gateway?: string | true;
  readonly seconds?: number;
}

const GATEWAY_SECONDS = 60;
const MAX_SECONDS = 3600;

/** Add the command. */
export function addDemoCommand(program: Command, shell: Shell): void {
  program
    .command('demo')
    .description('run a server with three toy instances to break and mend')
    .option('--dns <address:port>', 'where DNS listens (default: 127.0.0.1:8600, when it is free)')
    .option('--http <address:port>', 'where HTTP listens (default: 127.0.0.1:8500, when it is free)')
    .option(
      '--gateway [address:port]',
      'instead: a canary and rolling deploys behind a gateway (default: 127.0.0.1:8080, when it is free)',
    )
    .option('--seconds <n>', 'about how long that takes (default: 60)', integerOption(1, MAX_SECONDS))
    .action((options: DemoOptions) => demo(options, shell));
}

async function demo(options: DemoOptions, shell: Shell): Promise<void> {
  const { terminal } = shell;
  const { gateway, seconds = GATEWAY_SECONDS } = options;
  if (gateway === undefined && options.seconds !== undefined) {
    throw new CodedError('usage', '--seconds goes with --gateway only');
  }
  const dns = options.dns ?? (await freeOrAny(8600, terminal));
  const http = options.http ?? (await freeOrAny(8500, terminal));
  if (gateway !== undefined) {
    const { demoGateway } = await import('./demo-gateway.ts');
    return await demoGateway({ dns, http, gateway, seconds }, shell);
  }
  const { config, problems } = loadConfig({
    file: false,
    env: {
      ROLLCALL_DNS_LISTEN: JSON.stringify([dns]),
      ROLLCALL_HTTP_LISTEN: JSON.stringify([http]),
      ROLLCALL_STORE_KIND: 'memory',
      ROLLCALL_LOG_LEVEL: 'warn',
    },
    cwd: terminal.cwd,
  });
  if (config === undefined) throw new LocatedError('invalid_config', problems);
  const toys: Toy[] = [];
  let narrator: Narrator | undefined;
  try {
    for (let number = 1; number <= 3; number++) toys.push(await Toy.start(number));
    await runServer(
      config,
      () => ({ config, problems: [] }),
      async (server, stop) => {
        const [ask, api] = [server.addresses.dns[0]!, server.addresses.http[0]!];
        for (const toy of toys) await toy.register(new ApiClient({ url: formatEndpoint(api), token: undefined }));
        terminal.out(introduction(ask, api, toys));
        narrator = new Narrator(ask, terminal);
        readKeys(toys, terminal, stop);
      },
    );
  } finally {
    narrator?.stop();
    process.stdin.pause();
    for (const toy of toys) await toy.stop();
  }
}

function introduction(dns: Endpoint, api: Endpoint, toys: readonly Toy[]): string {
  const list = toys.map((toy) => `  ${toy.number}  ${toy.id} at ${formatEndpoint(toy.endpoint)}\n`).join('');
  return `rollcall demo: DNS ${formatEndpoint(dns)}, HTTP http://${formatEndpoint(api)}
${list}
1, 2, 3 break and mend an instance, q quits. In another terminal:
  dig @${dns.address} -p ${dns.port} ${NAME} A
  dig @${dns.address} -p ${dns.port} ${NAME} SRV
  curl http://${formatEndpoint(api)}/v1/services/${SERVICE}

`;
}

/** A small HTTP service with a health of its own. */
class Toy {
  readonly number: number;
  readonly id: string;
  readonly #server: Server;
  healthy = true;

  private constructor(number: number) {
    this.number = number;
    this.id = `cart-${number}`;
    this.#server = createHttpServer((request, response) => {
      const isProbe = request.url === '/health';
      response.writeHead(isProbe && !this.healthy ? 503 : 200, { 'content-type': 'text/plain' });
      response.end(isProbe ? `${this.healthy ? 'well' : 'unwell'}\n` : `${this.id}\n`);
    });
  }

  /** Listens on 127.0.0.2 to 127.0.0.4. Throws CodedError `toy_failed` where a system has only 127.0.0.1. */
  static async start(number: number): Promise<Toy> {
    const address = `127.0.0.${number + 1}`;
    for (const port of [TOY_PORT, 0]) {
      const toy = new Toy(number);
      try {
        toy.#server.listen(port, address);
        await once(toy.#server, 'listening');
        return toy;
      } catch (thrown) {
        if (port !== 0 && (thrown as NodeJS.ErrnoException).code === 'EADDRINUSE') continue;
        const hint = 'macOS and some others need: sudo ifconfig lo0 alias ';
        throw new CodedError('toy_failed', `cannot listen on ${address}: ${errorMessage(thrown)} (${hint}${address})`);
      }
    }
    throw new CodedError('toy_failed', `no port of ${address} is free`);
  }

  get endpoint(): Endpoint {
    const { address, port } = this.#server.address() as AddressInfo;
    return { address, port };
  }

  async register(api: ApiClient): Promise<void> {
    const timing = { interval: '1s', timeout: '500ms', rise: 1, fall: 2 };
    const body = { ...this.endpoint, checks: [{ type: 'http', url: '/health', ...timing }] };
    await api.call(`/v1/services/${SERVICE}/instances/${this.id}`, { method: 'PUT', body });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Asks the server again and again, and tells when the answer has changed. */
class Narrator {
  readonly #server: Endpoint;
  readonly #terminal: Terminal;
  readonly #timer: NodeJS.Timeout;
  #told: string | undefined;
  #stopped = false;

  constructor(server: Endpoint, terminal: Terminal) {
    this.#server = server;
    this.#terminal = terminal;
    this.#timer = setInterval(() => void this.#ask(), ASK_EVERY_MS);
    void this.#ask();
  }

  async #ask(): Promise<void> {
    const answer = await this.#readAnswer();
    if (this.#stopped || answer === this.#told) return;
    this.#told = answer;
    const time = new Date().toTimeString().slice(0, 8);
    this.#terminal.out(`${time}  ${NAME} A: ${printable(answer)}\n`);
  }

  async #readAnswer(): Promise<string> {
    try {
      const { askDns } = await import('./dns-exchange.ts');
      const reply = await askDns({ name: NAME, type: TYPE.A, server: this.#server, timeoutMs: ASK_EVERY_MS });
      const addresses = reply.answers.map(({ data }) => data).sort();
      if (reply.rcode !== 'NOERROR') return reply.rcode;
      return addresses.length === 0 ? 'no address: nobody is healthy' : addresses.join(' ');
    } catch (thrown) {
      return errorMessage(thrown);
    }
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }
}

/** Single keys on a terminal, lines from anywhere else. The end of the input changes nothing. */
function readKeys(toys: readonly Toy[], terminal: Terminal, stop: () => void): void {
  const { stdin } = process;
  const press = (key: string): void => {
    if (key === 'q' || key === '\u0003') stop();
    const toy = toys.find(({ number }) => String(number) === key);
    if (toy === undefined) return;
    toy.healthy = !toy.healthy;
    terminal.out(`          ${toy.id} is ${toy.healthy ? 'mended' : 'broken'}\n`);
  };
  if (stdin.isTTY) {
    stdin.setRawMode(true);
    stdin.on('data', (keys: Buffer) => [...keys.toString('utf8')].forEach(press));
  } else {
    createInterface({ input: stdin }).on('line', (line) => [...line.trim()].forEach(press));
  }
}
