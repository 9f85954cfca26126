// outliers.ts -- instances taken out for a while because of what came of the requests to them
//
// Every route judges its own requests by its own settings (OutlierWatch); who is out, for how long and how often before
// is known of an instance once (Outliers). Times are monotonic and handed in; only the timer that readmits is the clock's.

import type { Clock, Timer } from '../base/clock.ts';
import { ErrorWindow } from './error-window.ts';
import type { OutlierSettings } from './gateway-settings.ts';

/**
 * What came of a request to an instance. `failure`: no connection, reset or silent before the head of a reply, or 502,
 * 503 or 504; counts in a row and in the share. `error`: another 5xx; counts in the share only, for a client who finds a
 * request that an instance cannot answer is not to take instances out with a handful of them. A client that went
 * away says nothing of the instance: it is not noted at all.
 */
export type RequestOutcome = 'success' | 'failure' | 'error';

/** An instance is to be out, or back. */
export interface OutlierVerdict {
  readonly kind: 'eject' | 'readmit';
  readonly service: string;
  readonly instance: string;
  /** For people: `5 failures in a row`. */
  readonly reason: string;
  /** How long it is out; 0 when it is readmitted. */
  readonly forMs: number;
}

export interface OutliersOptions {
  readonly clock: Clock;
  /** Ids of the instances of a service that are answerable; whether those that are out are among them does not matter. */
  readonly answerable: (service: string) => Iterable<string>;
  /** Called in the midst of `note`, `readmit` and the timer; must not throw. */
  readonly onVerdict: (verdict: OutlierVerdict) => void;
}

/** What a reply's status says of the instance. 501 and 505 are about the request. */
export function outcomeOf(status: number): RequestOutcome {
  if (status < 500 || status === 501 || status === 505) return 'success';
  return status === 502 || status === 503 || status === 504 ? 'failure' : 'error';
}

/** What is known of an instance that was out, and is perhaps. */
interface Past {
  readonly service: string;
  /** Monotonic; undefined: it is back. */
  untilMs: number | undefined;
  /** How long it was out the last time, and by which settings. */
  forMs: number;
  settings: OutlierSettings;
  /** When it came back. */
  backMs: number;
  /** Successes until it is trusted again; one failure before that takes it out. */
  toProve: number;
}

/** Who is out. One for a gateway. */
export class Outliers {
  readonly #options: OutliersOptions;
  readonly #watches = new Set<OutlierWatch>();
  readonly #pasts = new Map<string, Past>();
  #outCount = 0;
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;

  constructor(options: OutliersOptions) {
    this.#options = options;
  }

  /** Judge requests to a service by these settings; close what is returned when the route or its settings go. */
  watch(service: string, settings: OutlierSettings): OutlierWatch {
    const hooks = {
      isOut: (id: string) => this.isEjected(id),
      prove: (id: string, outcome: RequestOutcome, nowMs: number) => this.#prove(id, outcome, nowMs),
      eject: (id: string, reason: string, nowMs: number) => this.#eject(service, id, reason, settings, nowMs),
      close: () => void this.#watches.delete(watch),
    };
    const watch = new OutlierWatch(settings, hooks);
    this.#watches.add(watch);
    return watch;
  }

  /** Is anybody out? Cheaper than to ask for everyone. */
  get hasEjected(): boolean {
    return this.#outCount > 0;
  }

  /** How many are out. */
  get ejected(): number {
    return this.#outCount;
  }

  isEjected(id: string): boolean {
    return this.#outCount > 0 && this.#pasts.get(id)?.untilMs !== undefined;
  }

  /** Somebody knows better: the instance is back and begins anew. Nothing happens when it is not out. */
  readmit(id: string, reason = 'readmitted by hand'): void {
    const past = this.#pasts.get(id);
    if (past?.untilMs === undefined) return;
    this.forget(id);
    this.#options.onVerdict({ kind: 'readmit', service: past.service, instance: id, reason, forMs: 0 });
  }

  /** The instance is gone, or is another one now: nothing held against it, no verdict. */
  forget(id: string): void {
    if (this.#pasts.get(id)?.untilMs !== undefined) this.#outCount--;
    this.#pasts.delete(id);
    for (const watch of this.#watches) watch.forget(id);
  }

  /** No timer any more: who is out stays so. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
  }

  /** Must a failure now take it out again? Others that came back are trusted bit by bit. */
  #prove(id: string, outcome: RequestOutcome, nowMs: number): boolean {
    const past = this.#pasts.get(id);
    if (past === undefined || past.toProve === 0) return false;
    if (nowMs - past.backMs >= past.settings.ejectForMs) past.toProve = 0;
    else if (outcome === 'success') past.toProve--;
    return past.toProve > 0 && outcome === 'failure';
  }

  #eject(service: string, id: string, reason: string, settings: OutlierSettings, nowMs: number): boolean {
    if (!this.#mayGo(service, id, settings)) return false;
    const past = this.#pasts.get(id);
    const forMs = past === undefined ? firstMs(settings) : nextForMs(past, settings, nowMs);
    const untilMs = nowMs + forMs;
    this.#pasts.set(id, { service, untilMs, forMs, settings, backMs: 0, toProve: 0 });
    this.#outCount++;
    for (const watch of this.#watches) watch.forget(id);
    this.#wake(untilMs);
    this.#options.onVerdict({ kind: 'eject', service, instance: id, reason, forMs });
    return true;
  }

  /** Never the last that is left; one of several may always; more only within the share. */
  #mayGo(service: string, id: string, { maxEjected }: OutlierSettings): boolean {
    const all = new Set(this.#options.answerable(service));
    if (!all.has(id)) return false;
    let out = 0;
    for (const [other, past] of this.#pasts) {
      if (past.untilMs === undefined || past.service !== service) continue;
      all.add(other);
      out++;
    }
    return out < Math.min(all.size - 1, Math.max(1, Math.floor(all.size * maxEjected + ROUNDING)));
  }

  #wake(dueMs: number): void {
    if (dueMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    const delayMs = Math.max(0, dueMs - this.#options.clock.monotonicMs());
    this.#timer = this.#options.clock.after(delayMs, () => this.#readmitDue());
  }

  #readmitDue(): void {
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#options.clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    const back: [string, Past][] = [];
    for (const [id, past] of this.#pasts) {
      if (past.untilMs === undefined) continue;
      if (past.untilMs <= nowMs) back.push([id, past]);
      else nextMs = Math.min(nextMs, past.untilMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#wake(nextMs);
    for (const [, past] of back) {
      past.untilMs = undefined;
      past.backMs = nowMs;
      past.toProve = past.settings.consecutive > 0 ? past.settings.consecutive : DEFAULT_TO_PROVE;
      this.#outCount--;
    }
    for (const [instance, { service }] of back) {
      this.#options.onVerdict({ kind: 'readmit', service, instance, reason: 'its time is over', forMs: 0 });
    }
  }
}

/** Successes that prove an instance when the settings do not count failures in a row. */
const DEFAULT_TO_PROVE = 5;
/** What a share of a whole number may lack by the arithmetic: 0.3 of 10 are three. */
const ROUNDING = 1e-9;

function firstMs({ ejectForMs, maxEjectForMs }: OutlierSettings): number {
  return Math.min(ejectForMs, maxEjectForMs);
}

/** Twice as long as the last time; half of that for each time of that length that was calm since. */
function nextForMs({ forMs, backMs }: Past, settings: OutlierSettings, nowMs: number): number {
  let nextMs = forMs * 2;
  let calmMs = nowMs - backMs;
  while (nextMs > settings.ejectForMs && calmMs >= nextMs / 2) {
    nextMs /= 2;
    calmMs -= nextMs;
  }
  return Math.min(Math.max(nextMs, settings.ejectForMs), settings.maxEjectForMs);
}

/** What a watch asks of the whole. */
interface Hooks {
  readonly isOut: (id: string) => boolean;
  readonly prove: (id: string, outcome: RequestOutcome, nowMs: number) => boolean;
  /** Tells whether it could be taken out. */
  readonly eject: (id: string, reason: string, nowMs: number) => boolean;
  readonly close: () => void;
}

/** What is known of one instance: of constant size. */
interface Seen {
  inRow: number;
  readonly window: ErrorWindow | undefined;
  notedMs: number;
  /** It could not be taken out: when to try again, as to find that out takes a look at all of its service. */
  againMs: number;
}

const AGAIN_MS = 1000;
/** Nor is it tried with others of many that fail at once. */
const OTHERS_AGAIN_MS = 100;
/** More than so many instances are looked through for those that are long gone. */
const MANY = 64;

/** The requests of one route, judged by its settings. */
export class OutlierWatch {
  readonly #settings: OutlierSettings;
  readonly #hooks: Hooks;
  readonly #seen = new Map<string, Seen>();
  #tooMany = MANY;
  #againMs = 0;

  /** Made by `Outliers.watch`. */
  constructor(settings: OutlierSettings, hooks: Hooks) {
    this.#settings = settings;
    this.#hooks = hooks;
  }

  /** What came of a request; `nowMs`: the clock's monotonic time. What ends after its instance was taken out is no news. */
  note(id: string, outcome: RequestOutcome, nowMs: number): void {
    const mustGo = this.#hooks.prove(id, outcome, nowMs);
    if (this.#hooks.isOut(id)) return;
    const seen = this.#of(id, nowMs);
    seen.notedMs = nowMs;
    seen.window?.add(1, outcome === 'success' ? 0 : 1, nowMs);
    if (outcome === 'success') seen.inRow = 0;
    else if (outcome === 'failure') seen.inRow++;
    if (outcome === 'success' || nowMs < seen.againMs || nowMs < this.#againMs) return;
    const reason = mustGo ? 'failed again soon after it came back' : this.#reason(seen, nowMs);
    if (reason === undefined || this.#hooks.eject(id, reason, nowMs)) return;
    seen.againMs = nowMs + AGAIN_MS;
    this.#againMs = nowMs + OTHERS_AGAIN_MS;
  }

  forget(id: string): void {
    this.#seen.delete(id);
  }

  close(): void {
    this.#seen.clear();
    this.#hooks.close();
  }

  #reason({ inRow, window }: Seen, nowMs: number): string | undefined {
    const { consecutive, errorShare, minRequests } = this.#settings;
    if (consecutive > 0 && inRow >= consecutive) return inRow === 1 ? 'a failure' : `${inRow} failures in a row`;
    if (window === undefined) return undefined;
    const { requests, errors } = window.sums(nowMs);
    if (requests < Math.max(1, minRequests) || errors < requests * errorShare) return undefined;
    return `${errors} of ${requests} requests failed`;
  }

  #of(id: string, nowMs: number): Seen {
    let seen = this.#seen.get(id);
    if (seen === undefined) {
      if (this.#seen.size >= this.#tooMany) this.#dropGone(nowMs);
      const { errorShare, windowMs } = this.#settings;
      const window = errorShare < 1 ? new ErrorWindow(windowMs) : undefined;
      seen = { inRow: 0, window, notedMs: nowMs, againMs: 0 };
      this.#seen.set(id, seen);
    }
    return seen;
  }

  /** Requests may end after their instance was forgotten; what they leave is not kept for ever. */
  #dropGone(nowMs: number): void {
    for (const [id, { notedMs }] of this.#seen) {
      if (nowMs - notedMs > this.#settings.windowMs) this.#seen.delete(id);
    }
    this.#tooMany = Math.max(MANY, this.#seen.size * 2);
  }
}
