// siege-server.ts -- the server that floods go against, on a core of its own where there are two

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type BuiltServer, startBuiltServer } from './built-server.ts';

const ZONE = `
$ORIGIN example.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
big TXT "${'b'.repeat(220)}" "${'c'.repeat(220)}"
*.wild A 192.0.2.2
`;

/** A question to which it has a short answer. */
export const HONEST_QUESTION = 'cart-service.service.local. A edns';

/** Has a service of two instances with a tag, one of forty, and a zone with a wildcard. `dns` is added to its settings. */
export async function startSiegeServer(
  scope: { after(cleanup: () => unknown): void },
  dns: Readonly<Record<string, unknown>> = {},
): Promise<BuiltServer> {
  const server = await startBuiltServer(scope, {
    config: { store: { kind: 'memory' }, dns },
    zones: { 'example.test.zone': ZONE },
    prefix: serverPrefix(),
  });
  for (let i = 1; i <= 2; i++)
    await server.register('cart-service', `cart-${i}`, { address: `10.1.0.${i}`, port: 8080, tags: ['v1'] });
  for (let i = 1; i <= 40; i++)
    await server.register('web', `web-${i}`, { address: `10.2.0.${i}`, port: 80, tags: ['v1'], meta: { k: 'v' } });
  return server;
}

/** Holds a server to one core, so that what loads it, on the same machine, has another. */
export function serverPrefix(): string[] {
  return availableParallelism() > 1 ? ['taskset', '-c', '0'] : [];
}

/** A core that the server is not on, where there is one. */
export const LOAD_CORE = availableParallelism() > 1 ? 1 : 0;

/** Resident memory in MiB. */
function residentMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

/** Watches how large a server gets. */
export class MemoryWatch {
  readonly #pid: number;
  readonly #from: number;
  readonly #timer: NodeJS.Timeout;
  #most: number;

  constructor(scope: { after(cleanup: () => unknown): void }, pid: number) {
    this.#pid = pid;
    this.#from = residentMib(pid);
    this.#most = this.#from;
    this.#timer = setInterval(() => this.#look(), 200);
    scope.after(() => clearInterval(this.#timer));
  }

  /** The most that it grew by, in MiB. */
  end(): number {
    clearInterval(this.#timer);
    this.#look();
    return this.#most - this.#from;
  }

  #look(): void {
    this.#most = Math.max(this.#most, residentMib(this.#pid));
  }
}
