// simulate.ts -- synthetic clients of a service over some time, under a policy: who gets how many requests
//
// Clients ask for the name, keep the answer for its TTL, and send requests at random times. Everything is drawn from the
// seed, so the same simulation gives the same result. Both policies that are compared meet the same clients, who send
// requests at the same times.

import type { IpPrefix } from '../base/ip.ts';
import { isMany, isPause, mapped } from '../base/pauses.ts';
import { type Random, seededRandom } from '../base/random.ts';
import { TYPE } from '../dns/codes.ts';
import type { Policy } from '../registry/policy.ts';
import { type Client, prefixClient } from './client.ts';
import type { DomainNames } from './domain-names.ts';
import { EventQueue } from './event-queue.ts';
import { QueryDraw } from './query-draw.ts';
import { type ServiceSnapshot, type SimulatedRecord, SimulatedService } from './simulated-service.ts';

/** Which record of an answer a client uses. */
export type Picks = 'first' | 'any';

export interface Simulation {
  readonly service: ServiceSnapshot;
  readonly domain: DomainNames;
  /** A, AAAA or SRV; clients of SRV draw by priority and weight (RFC 2782). */
  readonly type: number;
  readonly picks: Picks;
  readonly clients: number;
  /** Addresses of the clients. */
  readonly network: IpPrefix;
  readonly durationMs: number;
  /** Of each client. */
  readonly requestsPerSecond: number;
  /** How long a request takes on average, by index of the instance. */
  readonly serviceTimesMs: readonly number[];
  /** `instance`: index. */
  readonly failures: readonly { readonly instance: number; readonly atMs: number; readonly forMs: number }[];
  readonly seed: number;
}

/** What one instance had to do. */
export interface SimulatedLoad {
  readonly requests: number;
  /** Of all requests that somebody served, 0..1. */
  readonly share: number;
  /** Requests under way, over time. */
  readonly p50: number;
  readonly p99: number;
}

export interface SimulationResult {
  /** By index of the instance. */
  readonly loads: readonly SimulatedLoad[];
  readonly requests: number;
  readonly queries: number;
  /** Requests to an instance that was failing: the client had it in its cache. */
  readonly failed: number;
  /** Requests for which there was no instance in the answer. */
  readonly unanswered: number;
  /** Why the first answer without an instance had none; undefined: there was no such answer. */
  readonly lack: string | undefined;
  /** Part of the answers after a client's first one that begin with another instance than the one before. */
  readonly changed: number;
  /** Requests under way, over all instances and times. */
  readonly p50: number;
  readonly p99: number;
  /** By client, the instance that it used most; -1: none. */
  readonly favourites: Int32Array;
}

/** How often instances report their load. */
export const REPORT_MS = 1000;
/** Looks at the requests under way, of all instances together. */
const MAX_SAMPLES = 200_000;
const MAX_LOOKS = 1000;
/** Events between two pauses. */
const EVENTS = 20;

/** Simulate one policy. Pauses often; what it yields means nothing. */
export function* simulate(simulation: Simulation, policy: Policy | undefined): Generator<void, SimulationResult> {
  const run = new Run(simulation, policy);
  try {
    yield* run.begin();
    while (yield* run.advance()) yield;
    return yield* run.result();
  } finally {
    run.close();
  }
}

/** What clients have of an answer. */
interface Cached {
  readonly client: Client;
  records: readonly SimulatedRecord[];
  expiresMs: number;
  first: number;
}

/** Events: a client sends a request; below 0, an instance ends one. */
class Run {
  readonly #simulation: Simulation;
  readonly #service: SimulatedService;
  readonly #events = new EventQueue();
  readonly #arrivals: Random;
  readonly #times: Random;
  readonly #picks: Random;
  readonly #draw: QueryDraw;
  readonly #clients: Cached[] = [];
  readonly #inFlight: Int32Array;
  readonly #requests: Float64Array;
  /** Since the last report. */
  readonly #taken: { ms: Float64Array; count: Float64Array };
  readonly #failing: Int32Array;
  /** Failures that begin and end, the next one last. */
  readonly #turns: { atMs: number; instance: number; isFailing: boolean }[];
  /** By client and instance. */
  readonly #used = new Map<number, number>();
  readonly #samples: Int32Array[] = [];
  readonly #maxLooks: number;
  #looks = 0;
  readonly #lookMs: number;
  #nextLookMs = 0;
  #nextReportMs = REPORT_MS;
  #sent = 0;
  #queries = 0;
  #refreshes = 0;
  #changes = 0;
  #failed = 0;
  #unanswered = 0;
  #lack: string | undefined;

  constructor(simulation: Simulation, policy: Policy | undefined) {
    const { seed, service, domain, type, durationMs, failures } = simulation;
    const count = service.instances.length;
    this.#simulation = simulation;
    this.#service = new SimulatedService(service, policy, domain, type);
    this.#arrivals = seededRandom(seed);
    this.#times = seededRandom(seed + 1);
    this.#picks = seededRandom(seed + 2);
    this.#draw = new QueryDraw(seededRandom(seed + 3));
    this.#inFlight = new Int32Array(count);
    this.#requests = new Float64Array(count);
    this.#taken = { ms: new Float64Array(count), count: new Float64Array(count) };
    this.#failing = new Int32Array(count);
    this.#turns = failures
      .flatMap(({ instance, atMs, forMs }) => [
        { atMs, instance, isFailing: true },
        { atMs: atMs + forMs, instance, isFailing: false },
      ])
      .sort((a, b) => b.atMs - a.atMs);
    this.#maxLooks = Math.max(1, Math.min(MAX_LOOKS, Math.floor(MAX_SAMPLES / Math.max(1, count))));
    this.#lookMs = durationMs / this.#maxLooks;
  }

  *begin(): Generator<void, void> {
    const { service, clients, network, seed } = this.#simulation;
    yield* this.#service.begin(service.instances);
    for (let index = 0; index < service.instances.length; index++) {
      if (isPause(index)) yield;
      // Adding up may bring in one more.
      this.#samples.push(new Int32Array(this.#maxLooks + 1));
    }
    const addresses = seededRandom(seed + 4);
    for (let i = 0; i < clients; i++) {
      if (isPause(i)) yield;
      const client = clientIn(network, addresses);
      this.#clients.push({ client, records: [], expiresMs: Number.NEGATIVE_INFINITY, first: -1 });
      this.#events.push(this.#gapMs(), i);
    }
  }

  /** Go on for some events; false: the time is over. */
  *advance(): Generator<void, boolean> {
    const { durationMs } = this.#simulation;
    for (let i = 0; i < EVENTS; i++) {
      const nextMs = this.#events.isEmpty ? durationMs : this.#events.nextMs;
      const turnMs = this.#turns.at(-1)?.atMs ?? Number.POSITIVE_INFINITY;
      const dueMs = Math.min(nextMs, turnMs, this.#nextLookMs, this.#nextReportMs);
      if (dueMs >= durationMs) return false;
      if (dueMs === turnMs) this.#turn();
      else if (dueMs === this.#nextReportMs) yield* this.#report();
      else if (dueMs === this.#nextLookMs) this.#look();
      else {
        const event = this.#events.pop();
        if (event < 0) this.#inFlight[-1 - event]! -= 1;
        else yield* this.#send(event, nextMs);
      }
    }
    return true;
  }

  close(): void {
    this.#service.close();
  }

  *result(): Generator<void, SimulationResult> {
    const served = this.#requests.reduce((sum, each) => sum + each, 0);
    const all = new Map<number, number>();
    const loads = yield* mapped(this.#samples, (samples, index) => {
      const sorted = samples.subarray(0, this.#looks).sort();
      for (const sample of sorted) all.set(sample, (all.get(sample) ?? 0) + 1);
      const requests = this.#requests[index]!;
      const share = served === 0 ? 0 : requests / served;
      return { requests, share, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
    });
    return {
      loads,
      requests: this.#sent,
      queries: this.#queries,
      failed: this.#failed,
      unanswered: this.#unanswered,
      lack: this.#lack,
      changed: this.#refreshes === 0 ? 0 : this.#changes / this.#refreshes,
      p50: quantileOf(all, 0.5),
      p99: quantileOf(all, 0.99),
      favourites: yield* this.#favourites(),
    };
  }

  *#favourites(): Generator<void, Int32Array> {
    const count = this.#requests.length;
    const favourites = new Int32Array(this.#clients.length).fill(-1);
    const most = new Float64Array(this.#clients.length);
    let looked = 0;
    for (const [key, requests] of this.#used) {
      const client = Math.floor(key / count);
      const instance = key % count;
      const isMore = requests > most[client]! || (requests === most[client] && instance < favourites[client]!);
      if (isMore) {
        most[client] = requests;
        favourites[client] = instance;
      }
      if (++looked % 10_000 === 0) yield;
    }
    return favourites;
  }

  /** A client sends a request. */
  *#send(client: number, nowMs: number): Generator<void, void> {
    this.#events.push(nowMs + this.#gapMs(), client);
    // Drawn whatever comes of it: the other policy is to meet the same.
    const times = this.#exponential(this.#times);
    const pick = this.#picks.next();
    const within = this.#picks.next();
    this.#sent++;
    const cached = this.#clients[client]!;
    if (nowMs >= cached.expiresMs) yield* this.#ask(cached, nowMs);
    const record = this.#choose(cached.records, pick);
    if (record === undefined) {
      this.#unanswered++;
      return;
    }
    const instance = record.instances[Math.floor(within * record.instances.length)]!;
    if (this.#failing[instance]! > 0) {
      this.#failed++;
      return;
    }
    const tookMs = times * this.#simulation.serviceTimesMs[instance]!;
    this.#requests[instance]! += 1;
    this.#inFlight[instance]! += 1;
    this.#taken.ms[instance]! += tookMs;
    this.#taken.count[instance]! += 1;
    const key = client * this.#requests.length + instance;
    this.#used.set(key, (this.#used.get(key) ?? 0) + 1);
    this.#events.push(nowMs + tookMs, -1 - instance);
  }

  *#ask(cached: Cached, nowMs: number): Generator<void, void> {
    this.#draw.begin(cached.client);
    const { records, ttlSeconds, lack } = yield* this.#service.answer(this.#draw);
    this.#lack ??= lack;
    const first = records[0]?.instances[0] ?? -1;
    if (this.#queries++ > 0 && cached.expiresMs > Number.NEGATIVE_INFINITY) {
      this.#refreshes++;
      if (first !== cached.first) this.#changes++;
    }
    cached.records = records;
    cached.expiresMs = nowMs + ttlSeconds * 1000;
    cached.first = first;
  }

  /** `pick`: a number from 0 to 1 that decides. */
  #choose(records: readonly SimulatedRecord[], pick: number): SimulatedRecord | undefined {
    const [first] = records;
    if (first === undefined || records.length === 1) return first;
    if (this.#simulation.type !== TYPE.SRV) {
      return this.#simulation.picks === 'first' ? first : records[Math.floor(pick * records.length)];
    }
    const best = records.reduce((least, { priority }) => Math.min(least, priority), first.priority);
    const among = records.filter(({ priority }) => priority === best);
    const sum = among.reduce((total, { weight }) => total + weight, 0);
    if (sum === 0) return among[Math.floor(pick * among.length)];
    let left = pick * sum;
    for (const record of among) {
      left -= record.weight;
      if (left < 0) return record;
    }
    return among.at(-1);
  }

  #turn(): void {
    const { atMs, instance, isFailing } = this.#turns.pop()!;
    const before = this.#failing[instance]!;
    this.#failing[instance] = before + (isFailing ? 1 : -1);
    // Failures of one instance may overlap.
    if (before > 0 !== this.#failing[instance]! > 0) this.#service.setFailing(instance, isFailing, atMs);
  }

  *#report(): Generator<void, void> {
    const nowMs = this.#nextReportMs;
    const { ms, count } = this.#taken;
    for (let index = 0; index < this.#inFlight.length; index++) {
      if (isPause(index)) yield;
      const latencyMs = count[index]! > 0 ? ms[index]! / count[index]! : undefined;
      this.#service.report(index, { connections: this.#inFlight[index]! }, nowMs);
      if (latencyMs !== undefined) this.#service.report(index, { latencyMs }, nowMs);
    }
    ms.fill(0);
    count.fill(0);
    if (isMany(ms)) yield;
    yield* this.#service.reckon(nowMs);
    this.#nextReportMs += REPORT_MS;
  }

  #look(): void {
    for (const [index, samples] of this.#samples.entries()) samples[this.#looks] = this.#inFlight[index]!;
    this.#looks++;
    this.#nextLookMs += this.#lookMs;
  }

  #gapMs(): number {
    return (this.#exponential(this.#arrivals) * 1000) / this.#simulation.requestsPerSecond;
  }

  /** Of mean 1. */
  #exponential(random: Random): number {
    return -Math.log1p(-random.next());
  }
}

function clientIn({ bytes, length }: IpPrefix, random: Random): Client {
  const drawn = bytes.slice();
  for (let bit = length; bit < drawn.length * 8; bit++) {
    if (random.next() < 0.5) drawn[bit >> 3]! |= 0x80 >> (bit & 7);
  }
  return prefixClient({ family: bytes.length === 4 ? 4 : 6, bytes: drawn, length: bytes.length * 8 });
}

function quantile(sorted: Int32Array, part: number): number {
  return sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

/** The same of numbers of which it is told how often each is there. */
function quantileOf(counts: ReadonlyMap<number, number>, part: number): number {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  let left = Math.min(total - 1, Math.floor(total * part));
  for (const [value, count] of [...counts].sort(([a], [b]) => a - b)) {
    if (left < count) return value;
    left -= count;
  }
  return 0;
}
