// watchers.ts -- everybody who watches changes: each change is written out once and sent to all whom it concerns
//
// A watcher is a connection and a position in the change log, no queue of its own. One that takes everything at once is
// sent each new change together with all others; one whose connection is full is left where it is and goes on from its
// position when it has drained. When that takes too long, or the log has forgotten its place, it is dropped. Writing to
// thousands takes a while, so it is done in slices, and what happens meanwhile goes out in one piece.

import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Counter, Gauge, type Registry as MetricsRegistry } from 'prom-client';
import type { Clock, Timer } from '../base/clock.ts';
import { CodedError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Change } from '../registry/change.ts';
import { ChangeLog } from '../registry/change-log.ts';
import type { Registry } from '../registry/registry.ts';
import type { Caller } from './access.ts';
import { EventIds, encodeComment, encodeEnd, encodeEvent } from './watch-event.ts';

export interface WatchLimits {
  /** Watchers at a time. */
  readonly maxWatchers: number;
  /** Changes, and octets of them, that a watcher may be behind. */
  readonly maxChanges: number;
  readonly maxOctets: number;
  /** How long a connection may take nothing. */
  readonly maxStallMs: number;
  /** Time between the comments that show that a connection lives. */
  readonly heartbeatMs: number;
}

export const DEFAULT_WATCH_LIMITS: WatchLimits = {
  maxWatchers: 12_000,
  maxChanges: 16_384,
  maxOctets: 16 * 1024 * 1024,
  maxStallMs: 10_000,
  heartbeatMs: 15_000,
};

/** Why a watcher was ended by the server. */
type DropReason = 'slow' | 'access' | 'closing' | 'stopping' | 'error';

export interface WatchersOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  readonly limits: WatchLimits;
}

/** Those who are sent the same changes. */
interface Group {
  /** Undefined: every service that the caller may read. */
  readonly service: string | undefined;
  readonly caller: Caller;
  readonly watchers: Set<Watcher>;
  /** All that concerns the group up to here was written to everybody whose connection is not full. */
  written: number;
}

interface Watcher {
  readonly response: ServerResponse;
  readonly group: Group;
  /** In which part of the heartbeat interval its comments come. */
  readonly slot: number;
  /** All that concerns it up to here was written to its connection. */
  position: number;
  /** Since when its connection takes nothing, in monotonic time. */
  fullSinceMs: number | undefined;
}

/** The most that is written to one connection in one go. */
const PAGE_OCTETS = 65_536;
/** How long the event loop is held at a time. */
const SLICE_MS = 4;
const HEARTBEAT_SLOTS = 16;
/** What a dropped watcher has to take the last words. */
const FAREWELL_MS = 5000;

export class Watchers {
  readonly ids = new EventIds();
  readonly #options: WatchersOptions;
  readonly #changes: ChangeLog;
  readonly #groups = new Map<Caller, Map<string | undefined, Group>>();
  readonly #byService = new Map<string, Set<Group>>();
  readonly #ofAll = new Set<Group>();
  readonly #dirty = new Set<Group>();
  readonly #full = new Set<Watcher>();
  readonly #dropped: Counter<'reason'>;
  readonly #unlisten: () => void;
  #count = 0;
  #opened = 0;
  #slot = 0;
  #isPumping = false;
  #isBeatDue = false;
  #isClosed = false;
  #timer: Timer | undefined;
  #sliceStartMs = 0;

  constructor(options: WatchersOptions) {
    const { registry, metrics, limits } = options;
    this.#options = options;
    this.#changes = new ChangeLog(limits, registry.sequence);
    this.#unlisten = registry.onChange((change) => this.#changed(change));
    const watchers: Gauge = new Gauge({
      name: 'rollcall_watchers',
      help: 'Connections that watch changes.',
      registers: [metrics],
      collect: (): void => watchers.set(this.#count),
    });
    this.#dropped = new Counter({
      name: 'rollcall_watchers_dropped_total',
      help: 'Watchers that the server ended, by reason.',
      labelNames: ['reason'],
      registers: [metrics],
    });
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** The id of the last change: who reads now and watches from it misses nothing. */
  get lastEventId(): string {
    return this.ids.format(this.#changes.head);
  }

  /**
   * Where a watcher begins who saw everything up to this id; undefined: from now on. Throws CodedError `event_gone` for
   * an id that was never given here, and for one that the log has forgotten.
   */
  positionOf(id: string | undefined): number {
    if (id === undefined) return this.#changes.head;
    const sequence = this.ids.sequenceOf(id);
    if (sequence !== undefined && this.#changes.reaches(sequence)) return sequence;
    const why = sequence === undefined || sequence > this.#changes.head ? 'is none of this node' : 'is too long ago';
    throw new CodedError('event_gone', `the event id ${why}; read the services anew and watch from there`);
  }

  /** Throws CodedError `rate_limited` or `stopping` when nobody more is let in. */
  checkRoom(): void {
    if (this.#isClosed) throw new CodedError('stopping', 'the server is stopping');
    const { maxWatchers } = this.#options.limits;
    if (this.#count >= maxWatchers)
      throw new CodedError('rate_limited', `${maxWatchers} watchers are connected already`);
  }

  /** Send a connection whose head is written all that concerns it from a position on. `service` undefined: all. */
  add(response: ServerResponse, caller: Caller, service: string | undefined, position: number): void {
    const group = this.#groupOf(caller, service);
    const slot = this.#opened++ % HEARTBEAT_SLOTS;
    const watcher: Watcher = { response, group, slot, position, fullSinceMs: undefined };
    group.watchers.add(watcher);
    this.#count++;
    response.on('close', () => this.#remove(watcher));
    // What cannot be written any more ends in `close` as well.
    response.on('error', () => {});
    response.on('drain', () => this.#drained(watcher));
    this.#timer ??= this.#arm();
    response.write(encodeComment('watching', this.ids.format(position)));
    this.#catchUp(watcher);
  }

  /** End the watchers whose callers are no longer let in. */
  retain(isCurrent: (caller: Caller) => boolean): void {
    for (const [caller, groups] of [...this.#groups]) {
      if (isCurrent(caller)) continue;
      for (const group of groups.values()) for (const watcher of [...group.watchers]) this.#drop(watcher, 'access');
    }
  }

  /** End those whose connections are to be closed, so that they come back elsewhere. */
  leave(isLast: (response: ServerResponse) => boolean): void {
    for (const watcher of this.#all()) if (isLast(watcher.response)) this.#drop(watcher, 'closing');
  }

  /** End them all and let nobody in again. */
  close(): void {
    this.#isClosed = true;
    this.#unlisten();
    this.#timer?.cancel();
    for (const watcher of this.#all()) this.#drop(watcher, 'stopping');
  }

  #changed(change: Change): void {
    const { sequence, service } = change;
    const state = this.#options.registry.service(service);
    this.#changes.append({ sequence, service, octets: encodeEvent(change, state, this.ids.format(sequence)) });
    for (const group of this.#byService.get(service) ?? []) this.#mark(group, sequence);
    for (const group of this.#ofAll) if (group.caller.scopes.allows('read', service)) this.#mark(group, sequence);
    this.#startPump();
  }

  #mark(group: Group, sequence: number): void {
    if (this.#dirty.has(group)) return;
    this.#dirty.add(group);
    // What came since it was last written to did not concern it, and need not be looked through.
    group.written = Math.max(group.written, sequence - 1);
  }

  #startPump(): void {
    if (this.#isPumping || (this.#dirty.size === 0 && !this.#isBeatDue)) return;
    this.#isPumping = true;
    void this.#pump();
  }

  async #pump(): Promise<void> {
    try {
      // Changes made in the same turn go out together.
      await nextTurn();
      this.#sliceStartMs = this.#options.clock.monotonicMs();
      while (this.#dirty.size > 0 || this.#isBeatDue) {
        const [group] = this.#dirty;
        if (group === undefined) await this.#beat();
        else await this.#writeTo(group);
      }
    } catch (error) {
      // A fault of ours. Who missed what is not known, so all begin again from what they have.
      this.#options.log.error({ err: error }, 'changes could not be sent to watchers');
      for (const watcher of this.#all()) this.#drop(watcher, 'error');
    } finally {
      this.#isPumping = false;
    }
    this.#startPump();
  }

  async #writeTo(group: Group): Promise<void> {
    this.#dirty.delete(group);
    const from = group.written;
    const page = this.#page(group, from);
    const isWhole = page.isLast && from >= this.#changes.tail;
    for (const watcher of group.watchers) {
      if (watcher.fullSinceMs !== undefined || watcher.position >= page.upTo) continue;
      const isNew = watcher.position > from;
      if (!isNew) watcher.position = from;
      // Those who came in between have a part of it already, and a long page is sent on at everybody's own pace.
      if (isWhole && !isNew) this.#write(watcher, page.octets, page.upTo);
      else this.#catchUp(watcher);
      await this.#yieldWhenDue();
    }
    group.written = Math.max(group.written, page.upTo);
  }

  /** Comments to one part of the watchers; nobody has anything else coming then, but for those who are behind. */
  async #beat(): Promise<void> {
    this.#isBeatDue = false;
    this.#slot = (this.#slot + 1) % HEARTBEAT_SLOTS;
    const upTo = this.#changes.head;
    const comment = encodeComment('alive', this.ids.format(upTo));
    for (const watcher of this.#all()) {
      if (watcher.slot !== this.#slot || watcher.fullSinceMs !== undefined || watcher.position > upTo) continue;
      if (!watcher.group.watchers.has(watcher)) continue;
      this.#write(watcher, comment, upTo);
      await this.#yieldWhenDue();
    }
  }

  async #yieldWhenDue(): Promise<void> {
    const { clock } = this.#options;
    if (clock.monotonicMs() - this.#sliceStartMs < SLICE_MS) return;
    await nextTurn();
    this.#sliceStartMs = clock.monotonicMs();
  }

  /** What concerns the group behind a position, as much as is written in one go, and how far that reaches. */
  #page(group: Group, from: number): { octets: Uint8Array; upTo: number; isLast: boolean } {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (const { sequence, service, octets } of this.#changes.after(from)) {
      if (group.service === undefined ? !group.caller.scopes.allows('read', service) : group.service !== service) {
        continue;
      }
      if (length > 0 && length + octets.length > PAGE_OCTETS) {
        return { octets: Buffer.concat(parts), upTo: sequence - 1, isLast: false };
      }
      parts.push(octets);
      length += octets.length;
    }
    return {
      octets: parts.length === 1 ? parts[0]! : Buffer.concat(parts),
      upTo: this.#changes.head,
      isLast: true,
    };
  }

  #write(watcher: Watcher, octets: Uint8Array, upTo: number): void {
    watcher.position = upTo;
    if (octets.length === 0 || watcher.response.write(octets)) return;
    watcher.fullSinceMs = this.#options.clock.monotonicMs();
    this.#full.add(watcher);
  }

  #drained(watcher: Watcher): void {
    watcher.fullSinceMs = undefined;
    this.#full.delete(watcher);
    if (watcher.group.watchers.has(watcher)) this.#catchUp(watcher);
  }

  /** Write on from the watcher's own position until it is up to date or its connection is full. */
  #catchUp(watcher: Watcher): void {
    while (watcher.fullSinceMs === undefined && watcher.position < this.#changes.head) {
      if (watcher.position < this.#changes.tail) {
        this.#drop(watcher, 'slow');
        return;
      }
      const page = this.#page(watcher.group, watcher.position);
      this.#write(watcher, page.octets, page.upTo);
    }
  }

  #drop(watcher: Watcher, reason: DropReason): void {
    const { response, group } = watcher;
    if (!this.#remove(watcher)) return;
    const { clock, log } = this.#options;
    this.#dropped.inc({ reason });
    const behind = this.#changes.head - watcher.position;
    const about = { reason, caller: group.caller.tokenId, service: group.service, behind };
    if (reason === 'slow') log.warn(about, 'a watcher was dropped');
    else log.debug(about, 'a watcher was ended');
    response.end(encodeEnd(reason));
    const cutOff = clock.after(FAREWELL_MS, () => response.destroy());
    response.once('close', () => cutOff.cancel());
  }

  /** False when it was gone already. */
  #remove(watcher: Watcher): boolean {
    const { group } = watcher;
    if (!group.watchers.delete(watcher)) return false;
    this.#full.delete(watcher);
    this.#count--;
    if (group.watchers.size === 0) this.#forget(group);
    return true;
  }

  #groupOf(caller: Caller, service: string | undefined): Group {
    const groups = this.#groups.get(caller) ?? new Map<string | undefined, Group>();
    this.#groups.set(caller, groups);
    let group = groups.get(service);
    if (group !== undefined) return group;
    group = { service, caller, watchers: new Set(), written: this.#changes.head };
    groups.set(service, group);
    if (service === undefined) this.#ofAll.add(group);
    else this.#byService.set(service, (this.#byService.get(service) ?? new Set()).add(group));
    return group;
  }

  #forget(group: Group): void {
    const { caller, service } = group;
    this.#dirty.delete(group);
    this.#ofAll.delete(group);
    const groups = this.#groups.get(caller);
    groups?.delete(service);
    if (groups?.size === 0) this.#groups.delete(caller);
    if (service === undefined) return;
    const same = this.#byService.get(service);
    same?.delete(group);
    if (same?.size === 0) this.#byService.delete(service);
  }

  #all(): Watcher[] {
    const groups = [...this.#groups.values()].flatMap((each) => [...each.values()]);
    return groups.flatMap(({ watchers }) => [...watchers]);
  }

  #arm(): Timer {
    const { clock, limits } = this.#options;
    return clock.after(limits.heartbeatMs / HEARTBEAT_SLOTS, () => {
      this.#timer = this.#count > 0 ? this.#arm() : undefined;
      const oldestMs = clock.monotonicMs() - limits.maxStallMs;
      for (const watcher of this.#full) if (watcher.fullSinceMs! <= oldestMs) this.#drop(watcher, 'slow');
      this.#isBeatDue = true;
      this.#startPump();
    });
  }
}
