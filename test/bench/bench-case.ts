// bench-case.ts -- what is asked, of how many services: the base case that all servers run, and Rollcall's own others

import { serviceLabel, type ZoneContent } from './zone-content.ts';

/** One kind of load. */
export interface BenchCase {
  /** As in `--case`. */
  readonly name: string;
  readonly title: string;
  readonly services: number;
  /** Instances of each service. */
  readonly instances: number;
  /** Share of the queries that ask for a name that is not there. */
  readonly nxdomainShare: number;
  readonly edns: boolean;
  /** Of all services; default round-robin. */
  readonly strategy?: string;
  /** CPU per answer may be at most this many times that of the other case (default the base case). */
  readonly maxRatio?: number;
  readonly comparedWith?: string;
}

const BIG_SHAPE = { services: 1, instances: 5000, nxdomainShare: 0, edns: false };
const BASE_SHAPE = { services: 1000, instances: 5, nxdomainShare: 0, edns: false };

/** Other servers are measured in this one only. */
export const BASE_CASE: BenchCase = { ...BASE_SHAPE, name: 'base', title: '1,000 services of 5 instances' };

export const CASES: readonly BenchCase[] = [
  BASE_CASE,
  {
    ...BASE_SHAPE,
    name: 'edns-nxdomain',
    title: 'the same with EDNS and 20 % NXDOMAIN',
    nxdomainShare: 0.2,
    edns: true,
    maxRatio: 1.15,
  },
  {
    ...BASE_SHAPE,
    name: '100k-services',
    title: '100,000 services of 5 instances',
    services: 100_000,
    maxRatio: 1.25,
  },
  { ...BIG_SHAPE, name: 'one-big-service', title: 'one service of 5,000 instances, 8 to an answer', maxRatio: 1.25 },
  // Not `failover`: its SRV records have priorities of their own, so the answers are not those of the base case.
  ...['random', 'weighted', 'least-connections', 'latency', 'hash', 'subset'].map((strategy) => ({
    ...BASE_SHAPE,
    name: strategy,
    title: `1,000 services of 5 instances by ${strategy}`,
    strategy,
    maxRatio: 1.15,
  })),
  ...['hash', 'subset'].map((strategy) => ({
    ...BIG_SHAPE,
    name: `${strategy}-big`,
    title: `one service of 5,000 instances by ${strategy}`,
    strategy,
    maxRatio: 1.15,
    comparedWith: 'one-big-service',
  })),
];

const SRV_SHARE = 0.3;
/** Twice the services at least, so that a large zone is not asked from a corner only. */
const MIN_QUERIES = 20_000;

/** The queries as dnsperf reads them, one a line; the same for every run. It begins anew at the end. */
export function queryLines(of: BenchCase, { apex, services }: ZoneContent): string {
  const random = seededRandom(1);
  const lines: string[] = [];
  for (let i = 0; i < Math.max(MIN_QUERIES, services.length * 2); i++) {
    const type = random() < SRV_SHARE ? 'SRV' : 'A';
    const isMissing = random() < of.nxdomainShare;
    const number = Math.floor(random() * services.length);
    lines.push(`${isMissing ? `nobody-${number}` : serviceLabel(number)}.${apex} ${type}`);
  }
  return `${lines.join('\n')}\n`;
}

/** mulberry32: numbers from 0 to 1 that are the same every time. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
