// service-readings.ts -- what balancing goes by in one service, worked out from reports and the time that passed
//
// Pure: it is told the time. wiring/dynamics.ts asks it when something was reported and when it says that time alone
// will change something.

import type { ServiceState } from '../registry/change.ts';
import { type InstanceState, isAnswerable, type Readings } from '../registry/instance.ts';
import type { LoadReport } from '../registry/load-report.ts';
import type { Policy } from '../registry/policy.ts';
import { type PeakLatency, withSample } from './peak-latency.ts';
import { nextWarmthMs, warmthAt, warmupMs } from './slow-start.ts';

/** A report is believed for this long. */
const FRESH_MS = 30_000;
/** From then on it moves to what the others have, and after this much more nothing is known. */
const FADE_MS = 30_000;
/** How often one that fades is looked at. */
const FADE_STEP_MS = 3000;
/** Steps in which trust in a report goes. */
const TRUST_STEPS = 10;
/** Reports that come faster than this count as one: it takes a while until one shows what the one before it did. */
const COUNT_MS = 900;
/** As much more with a TTL so long that clients keep their answers for more than a few reports. */
const COUNT_MS_PER_TTL_SECOND = 180;
/** What instances say themselves of their latency, and what the gateway says, is known for this long. */
const OWN_LATENCY_MS = FRESH_MS + FADE_MS;
/** Whoever says so itself, in the place of a check. */
const OWN = '';
/** The gateway, which is no id of a check either. */
const GATEWAY = ' ';
/** What moved by no more than this part is not told. */
const TOLERANCE = 0.1;
/** Nor is a difference of less than this; on one machine it is noise. */
const LATENCY_NOISE_MS = 0.5;

/** What is known of one instance beside its state. */
interface Known {
  connections: number | undefined;
  reportedMs: number;
  /** `connections` is what the gateway has with it, as nobody else says. */
  isGateways: boolean;
  /** How many reports were counted, and when the last of them was. */
  reports: number;
  countedMs: number;
  /** By check, OWN or GATEWAY; undefined while there are none: an empty map takes more than all the rest. */
  latencies: Map<string, PeakLatency> | undefined;
  warmingSinceMs: number | undefined;
}

/** What changed, and when to look again if nothing is reported until then. */
export interface Reckoning {
  readonly changed: readonly { readonly id: string; readonly readings: Readings }[];
  /** Monotonic; undefined: time alone changes nothing. */
  readonly nextMs: number | undefined;
}

/** Does a policy's strategy go by what the report tells? */
export function isOfUse(policy: Policy | undefined, { connections, latencyMs }: LoadReport): boolean {
  if (policy?.strategy === 'least-connections') return connections !== undefined;
  return policy?.strategy === 'latency' && latencyMs !== undefined;
}

/** The readings of one service. All times are monotonic. */
export class ServiceReadings {
  readonly #known = new Map<string, Known>();
  /** Of whom there is news: most looks are for them alone. */
  #touched = new Set<string>();
  /** When time changes something of anybody, at the earliest. */
  #nextMs = Number.POSITIVE_INFINITY;
  /** Of the last look. */
  #policy: Policy | undefined;

  /** Is nothing known of anybody? */
  get isEmpty(): boolean {
    return this.#known.size === 0;
  }

  /** A report that is of use. */
  note(id: string, report: LoadReport, nowMs: number): void {
    const { connections, latencyMs, check = OWN, isGateway = false, hasFailed } = report;
    const known = this.#of(id);
    this.#touched.add(id);
    if (connections !== undefined && !(isGateway && hasFresherWord(known, nowMs))) {
      known.connections = connections;
      known.reportedMs = nowMs;
      known.isGateways = isGateway;
      if (nowMs - known.countedMs >= countMs(this.#policy)) {
        known.reports++;
        known.countedMs = nowMs;
      }
    }
    if (latencyMs === undefined) return;
    const before = known.latencies?.get(check);
    // Who refuses at once is not fast.
    if (hasFailed && latencyMs <= (before?.valueMs ?? Number.POSITIVE_INFINITY)) return;
    known.latencies ??= new Map();
    if (isGateway) known.latencies.set(GATEWAY, { valueMs: latencyMs, atMs: nowMs });
    else known.latencies.set(check, withSample(before, latencyMs, nowMs));
  }

  /** An instance begins to warm up. */
  warm(id: string, nowMs: number): void {
    this.#of(id).warmingSinceMs = nowMs;
    this.#touched.add(id);
  }

  /** Its registration or its status changed. */
  touch(id: string): void {
    if (this.#known.has(id)) this.#touched.add(id);
  }

  forget(id: string): void {
    this.#known.delete(id);
  }

  /** Work out what is to be told now. */
  reckon({ policy, instances }: Pick<ServiceState, 'policy' | 'instances'>, nowMs: number): Reckoning {
    const isForAll = nowMs >= this.#nextMs || policy !== this.#policy;
    if (policy !== this.#policy) this.#dropUseless(policy);
    this.#policy = policy;
    const changed: { id: string; readings: Readings }[] = [];
    let nextMs = isForAll ? Number.POSITIVE_INFINITY : this.#nextMs;
    let mean: number | undefined;
    const neutral = (): number => {
      mean ??= this.#neutral(instances, nowMs);
      return mean;
    };
    for (const id of isForAll ? this.#known.keys() : this.#touched) {
      const known = this.#known.get(id);
      const state = instances.get(id);
      if (known === undefined || state === undefined) {
        this.#known.delete(id);
        continue;
      }
      const readings = {
        ...loadOf(known, state, neutral, nowMs),
        latencyMs: latencyOf(known, state, nowMs),
        warmth: warmthOf(known, state, policy, nowMs),
      };
      if (isNews(state, readings, neutral)) changed.push({ id, readings });
      nextMs = Math.min(nextMs, nextOf(known, state, policy, nowMs));
      if (isOver(known)) this.#known.delete(id);
    }
    this.#touched.clear();
    this.#nextMs = nextMs;
    return { changed, nextMs: nextMs === Number.POSITIVE_INFINITY ? undefined : nextMs };
  }

  #of(id: string): Known {
    let known = this.#known.get(id);
    if (known === undefined) {
      const unreported = { connections: undefined, reportedMs: 0, reports: 0, countedMs: Number.NEGATIVE_INFINITY };
      known = { ...unreported, isGateways: false, latencies: undefined, warmingSinceMs: undefined };
      this.#known.set(id, known);
    }
    return known;
  }

  /** What was of use under another policy is not kept to be believed later. */
  #dropUseless(policy: Policy | undefined): void {
    for (const known of this.#known.values()) {
      if (policy?.strategy !== 'least-connections') known.connections = undefined;
      if (policy?.strategy !== 'latency') known.latencies = undefined;
    }
  }

  /** Connections for each unit of weight: the mean of the fresh reports, or of all when none is. */
  #neutral(instances: ReadonlyMap<string, InstanceState>, nowMs: number): number {
    const mean = { fresh: 0, freshCount: 0, all: 0, count: 0 };
    for (const [id, { connections, reportedMs }] of this.#known) {
      const state = instances.get(id);
      if (connections === undefined || state === undefined) continue;
      const each = connections / weightOf(state);
      mean.all += each;
      mean.count++;
      if (nowMs - reportedMs > FRESH_MS) continue;
      mean.fresh += each;
      mean.freshCount++;
    }
    if (mean.freshCount > 0) return mean.fresh / mean.freshCount;
    return mean.count > 0 ? mean.all / mean.count : 0;
  }
}

/** All of its connections are told, not the gateway's alone, and not long ago. */
function hasFresherWord({ connections, isGateways, reportedMs }: Known, nowMs: number): boolean {
  return connections !== undefined && !isGateways && nowMs - reportedMs <= FRESH_MS;
}

function weightOf({ instance }: InstanceState): number {
  return Math.max(1, instance.weight);
}

function countMs(policy: Policy | undefined): number {
  return Math.max(COUNT_MS, (policy?.ttlSeconds ?? 0) * COUNT_MS_PER_TTL_SECOND);
}

/** `neutral`: what the others have for each unit of weight. */
function loadOf(
  known: Known,
  state: InstanceState,
  neutral: () => number,
  nowMs: number,
): Pick<Readings, 'connections' | 'loadReports' | 'loadTrust'> {
  const { connections, reportedMs, reports: loadReports } = known;
  if (connections !== undefined) {
    const faded = (nowMs - reportedMs - FRESH_MS) / FADE_MS;
    if (faded <= 0) return { connections, loadReports, loadTrust: undefined };
    const loadTrust = Math.max(1, Math.round((1 - faded) * TRUST_STEPS)) / TRUST_STEPS;
    const mixed = connections + (neutral() * weightOf(state) - connections) * faded;
    if (faded < 1) return { connections: mixed, loadReports, loadTrust: loadTrust < 1 ? loadTrust : undefined };
    known.connections = undefined;
  }
  return { connections: undefined, loadReports: undefined, loadTrust: undefined };
}

/** The slowest of its checks, or what it says itself or the gateway where that is slower. */
function latencyOf({ latencies }: Known, { instance }: InstanceState, nowMs: number): number | undefined {
  let slowest: number | undefined;
  for (const [check, { valueMs, atMs }] of latencies ?? []) {
    const isKnown = isWord(check) ? nowMs - atMs < OWN_LATENCY_MS : instance.checks.some((each) => each.id === check);
    if (!isKnown) latencies?.delete(check);
    else slowest = Math.max(slowest ?? 0, valueMs);
  }
  return slowest;
}

/** Not a check that is still there, or is not. */
function isWord(check: string): boolean {
  return check === OWN || check === GATEWAY;
}

function warmthOf(known: Known, state: InstanceState, policy: Policy | undefined, nowMs: number): number | undefined {
  if (known.warmingSinceMs === undefined) return undefined;
  const durationMs = warmupMs(state.instance, policy);
  const warmth = isAnswerable(state.status) ? warmthAt(nowMs - known.warmingSinceMs, durationMs) : 1;
  if (warmth < 1) return warmth;
  known.warmingSinceMs = undefined;
  return undefined;
}

/** When the readings of an instance change without a report. */
function nextOf(known: Known, { instance }: InstanceState, policy: Policy | undefined, nowMs: number): number {
  const { connections, reportedMs, latencies, warmingSinceMs } = known;
  let nextMs = Number.POSITIVE_INFINITY;
  if (warmingSinceMs !== undefined) {
    const next = nextWarmthMs(nowMs - warmingSinceMs, warmupMs(instance, policy));
    if (next !== undefined) nextMs = warmingSinceMs + next;
  }
  if (connections !== undefined) {
    const fadesMs = reportedMs + FRESH_MS;
    nextMs = Math.min(nextMs, nowMs < fadesMs ? fadesMs : Math.min(nowMs + FADE_STEP_MS, fadesMs + FADE_MS));
  }
  for (const [check, { atMs }] of latencies ?? []) {
    if (isWord(check)) nextMs = Math.min(nextMs, atMs + OWN_LATENCY_MS);
  }
  return nextMs;
}

function isOver({ connections, latencies, warmingSinceMs }: Known): boolean {
  return connections === undefined && (latencies?.size ?? 0) === 0 && warmingSinceMs === undefined;
}

/**
 * Another report that says the same is news as long as the instance has more or less than the others: what was done about
 * it was not enough.
 */
function isNews(told: InstanceState, now: Readings, neutral: () => number): boolean {
  return (
    told.warmth !== now.warmth ||
    told.loadTrust !== now.loadTrust ||
    (told.loadReports !== now.loadReports && isUneven(told, now.connections, neutral)) ||
    hasMoved(told.connections, now.connections, 0) ||
    hasMoved(told.latencyMs, now.latencyMs, LATENCY_NOISE_MS)
  );
}

function isUneven(state: InstanceState, connections: number | undefined, neutral: () => number): boolean {
  return connections !== undefined && hasMoved(neutral(), connections / weightOf(state), 0);
}

function hasMoved(told: number | undefined, now: number | undefined, noise: number): boolean {
  if (told === undefined || now === undefined) return told !== now;
  return Math.abs(now - told) > Math.max(noise, told * TOLERANCE);
}
