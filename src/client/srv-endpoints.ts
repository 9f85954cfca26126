// srv-endpoints.ts -- instances by DNS alone: SRV records of a service's name, drawn as RFC 2782 has it

import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type Random, systemRandom } from '../base/random.ts';
import type { EndpointSource, ServiceHost } from './endpoint-source.ts';
import { Lease } from './lease.ts';
import { RollcallError } from './rollcall-error.ts';
import { Suspects } from './suspects.ts';

export interface SrvOptions {
  /** `127.0.0.1:8600`; default: the servers of the system. */
  readonly servers?: readonly string[];
  /** For how long an answer is used, since Node does not tell its TTL; in milliseconds. Default 1000. */
  readonly keepMs?: number;
  /** While no server answers, the last answer is used for so much longer. Default 60,000. */
  readonly keepStaleMs?: number;
  /** For one query, in milliseconds. Default 2000; it is sent twice. */
  readonly timeoutMs?: number;
}

/** One SRV record with an address of its target. */
export interface SrvEndpoint {
  readonly priority: number;
  readonly weight: number;
  readonly address: string;
  readonly port: number;
}

interface Answer {
  readonly endpoints: readonly SrvEndpoint[];
  readonly atMs: number;
}

const MAX_NAMES = 1000;
const MAX_RECORDS = 1000;

export class SrvEndpoints implements EndpointSource {
  readonly #resolver: Resolver;
  readonly #random: Random;
  readonly #keepMs: number;
  readonly #keepStaleMs: number;
  readonly #answers = new Map<string, Answer>();
  readonly #asking = new Map<string, Promise<Answer>>();
  readonly #suspects = new Suspects();

  constructor({ servers, keepMs = 1000, keepStaleMs = 60_000, timeoutMs = 2000 }: SrvOptions, random = systemRandom) {
    this.#resolver = new Resolver({ timeout: timeoutMs, tries: 2 });
    if (servers !== undefined) this.#resolver.setServers(servers);
    this.#keepMs = keepMs;
    this.#keepStaleMs = keepStaleMs;
    this.#random = random;
  }

  async pick({ name }: ServiceHost, tried: readonly string[]): Promise<Lease> {
    const known = this.#answers.get(name);
    const nowMs = performance.now();
    const isFresh = known !== undefined && nowMs - known.atMs < this.#keepMs;
    const { endpoints } = isFresh ? known : await this.#ask(name, known);
    const untried = endpoints.filter((each) => !tried.includes(idOf(each)));
    const best = untried.filter((each) => !this.#suspects.has(idOf(each), nowMs));
    const endpoint = drawSrv(best, this.#random) ?? drawSrv(untried, this.#random);
    if (endpoint === undefined) throw new RollcallError('no_instance', `no instance of '${name}' is to be had`);
    const id = idOf(endpoint);
    return new Lease({ ...endpoint, id, tags: [], meta: {} }, undefined, (failed) => {
      if (failed) this.#suspects.failed(id, performance.now());
      else this.#suspects.worked(id);
    });
  }

  /** End what is asked. */
  close(): void {
    this.#resolver.cancel();
  }

  /** Requests that come together ask once. */
  #ask(name: string, known: Answer | undefined): Promise<Answer> {
    let asking = this.#asking.get(name);
    if (asking === undefined) {
      asking = this.#resolve(name, known).finally(() => this.#asking.delete(name));
      this.#asking.set(name, asking);
    }
    return asking;
  }

  async #resolve(name: string, known: Answer | undefined): Promise<Answer> {
    let endpoints: readonly SrvEndpoint[];
    try {
      const records = (await this.#resolver.resolveSrv(name)).slice(0, MAX_RECORDS);
      endpoints = (await Promise.all(records.map((record) => this.#addressed(record)))).flat();
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      if (code !== 'ENODATA' && code !== 'ENOTFOUND') {
        if (known !== undefined && performance.now() - known.atMs < this.#keepStaleMs) return known;
        throw new RollcallError('unreachable', `cannot look up ${name}: ${code}`, { cause: thrown });
      }
      endpoints = [];
    }
    const answer = { endpoints, atMs: performance.now() };
    this.#answers.delete(name);
    if (this.#answers.size >= MAX_NAMES) this.#answers.delete(this.#answers.keys().next().value!);
    this.#answers.set(name, answer);
    return answer;
  }

  async #addressed({ name, port, priority, weight }: SrvRecord): Promise<SrvEndpoint[]> {
    // "." means: not to be had here (RFC 2782).
    if (name === '' || name === '.') return [];
    const addresses = isIP(name) === 0 ? await this.#addressesOf(name) : [name];
    return addresses.map((address) => ({ priority, weight, address, port }));
  }

  /** IPv4 where there is one; a target that is gone meanwhile has none. */
  async #addressesOf(target: string): Promise<string[]> {
    for (const resolve of ['resolve4', 'resolve6'] as const) {
      try {
        return await this.#resolver[resolve](target);
      } catch (thrown) {
        const { code } = thrown as NodeJS.ErrnoException;
        if (code !== 'ENODATA' && code !== 'ENOTFOUND') throw thrown;
      }
    }
    return [];
  }
}

interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

function idOf({ address, port }: SrvEndpoint): string {
  return `${address}:${port}`;
}

/**
 * One of those with the lowest priority, by weight (RFC 2782): those without any only where all are, or together with the
 * chance that a weight of 1 would have. Undefined: there are none.
 */
export function drawSrv(endpoints: readonly SrvEndpoint[], random: Random): SrvEndpoint | undefined {
  if (endpoints.length === 0) return undefined;
  const lowest = endpoints.reduce((least, { priority }) => Math.min(least, priority), Number.POSITIVE_INFINITY);
  const first = endpoints.filter((each) => each.priority === lowest);
  const total = first.reduce((sum, { weight }) => sum + weight, 0);
  const weightless = first.filter(({ weight }) => weight === 0);
  const point = random.below(total + (weightless.length === 0 ? 0 : 1));
  let passed = 0;
  for (const endpoint of first) {
    passed += endpoint.weight;
    if (point < passed) return endpoint;
  }
  return weightless[random.below(weightless.length)];
}
