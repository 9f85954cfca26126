// service-view.ts -- services as they are now, in this process: picks are made from it without asking anybody
//
// Each service is read once and then followed. While the server is away the view goes on with what it last knew.

import { systemRandom } from '../base/random.ts';
import type { AnsweringService, Member } from '../registry/member.ts';
import { type ClientZones, NO_CLIENT_ZONES, zoneOfAll } from '../routing/client-zones.ts';
import { LiveLoad } from '../routing/live-load.ts';
import { type PickAsker, Picker } from '../routing/picker.ts';
import type { ApiCalls } from './api-calls.ts';
import { askerOf } from './asker.ts';
import type { ClientOptions } from './client-options.ts';
import { Follower } from './follower.ts';
import { Lease } from './lease.ts';
import { answeringService } from './read-member.ts';
import { RollcallError } from './rollcall-error.ts';
import { Suspects } from './suspects.ts';

/** Which instance of a service is wanted. */
export interface PickOptions {
  /** Address of the client that the request is for. Default: this program. */
  readonly client?: string;
  /** What makes a client the same client (a user's id, a session): sticky canaries and `hash` go by it. */
  readonly key?: string;
  /** Only instances with all of these; such picks bypass the policy's routes. */
  readonly tags?: readonly string[];
  /** Not these: they were tried. */
  readonly exclude?: readonly string[];
  /** A named port of the instances instead of their main one; those without it are passed over. */
  readonly port?: string;
}

export interface ServiceViewOptions extends Pick<ClientOptions, 'silenceMs' | 'backOff' | 'zone'> {
  /** Address of this program, once it is known. */
  readonly address: () => Promise<string>;
  readonly onError: (error: RollcallError) => void;
}

interface Followed {
  readonly follower: Follower;
  readonly ready: Promise<void>;
  /** As it was when somebody last asked. */
  state: AnsweringService | undefined;
  isOutdated: boolean;
  /** By tags. */
  readonly pickers: Map<string, Picker>;
  timer: NodeJS.Timeout | undefined;
}

/** Readings change without a change to tell, so where they matter they are read so often. */
const READINGS_MS = 2000;
/** Combinations of tags that pickers are kept for, of each service. */
const MAX_PICKERS = 64;
const MAX_SERVICES = 1000;
const NO_TAGS: readonly string[] = [];

export class ServiceView {
  readonly #calls: ApiCalls;
  readonly #options: ServiceViewOptions;
  readonly #zones: ClientZones;
  readonly #followed = new Map<string, Followed>();
  readonly #listeners = new Set<(service: string) => void>();
  readonly #loads = new Map<string, LiveLoad>();
  readonly #suspects = new Suspects();
  #self: PickAsker | undefined;
  #selfAddress = '127.0.0.1';
  #isClosed = false;

  constructor(calls: ApiCalls, services: readonly string[], options: ServiceViewOptions) {
    this.#calls = calls;
    this.#options = options;
    this.#zones = options.zone === undefined ? NO_CLIENT_ZONES : zoneOfAll(options.zone);
    for (const service of services) void this.add(service).catch(() => {});
  }

  /** Resolves when all services asked for so far were read; rejects with the first that could not be (RollcallError). */
  get ready(): Promise<void> {
    return Promise.all([...this.#followed.values()].map(({ ready }) => ready)).then(() => {});
  }

  /** Is any of it perhaps not up to date, since the server is away? It goes on with the last known. */
  get isStale(): boolean {
    return this.staleSince !== undefined;
  }

  /** Since when; undefined: it is up to date. */
  get staleSince(): Date | undefined {
    const times = [...this.#followed.values()].flatMap(({ follower }) => follower.staleSinceMs ?? []);
    return times.length === 0 ? undefined : new Date(Math.min(...times));
  }

  /** Follow one more service; resolves when it was read, also when it is not registered (yet). */
  add(service: string): Promise<void> {
    const name = service.toLowerCase();
    const known = this.#followed.get(name);
    if (known !== undefined) return known.ready;
    if (this.#isClosed) return Promise.reject(new RollcallError('closed', 'the view is closed'));
    if (this.#followed.size >= MAX_SERVICES) {
      return Promise.reject(new RollcallError('invalid', `a view follows at most ${MAX_SERVICES} services`));
    }
    const { silenceMs, backOff, onError } = this.#options;
    const follower = new Follower(this.#calls, {
      service: name,
      ...(silenceMs === undefined ? {} : { silenceMs }),
      ...(backOff === undefined ? {} : { backOff }),
      onError,
      // What is caught up with comes all at once, and then it is current.
      onChange: ({ isCaughtUp }) => {
        if (!isCaughtUp) this.#changed(name);
      },
      onCurrent: () => this.#changed(name),
    });
    const ready = Promise.all([follower.ready, this.#learnAddress()]).then(
      () => {},
      (error: unknown) => {
        // Whoever asks again tries again.
        this.#followed.delete(name);
        throw error;
      },
    );
    ready.catch(() => {});
    this.#followed.set(name, {
      follower,
      ready,
      state: undefined,
      isOutdated: false,
      pickers: new Map(),
      timer: undefined,
    });
    return ready;
  }

  /** Is a service followed, and was it read? Then picks need not wait. */
  isRead(service: string): boolean {
    return this.#self !== undefined && this.#followed.get(service.toLowerCase())?.follower.isRead === true;
  }

  /** A service as it is now; undefined when it is not known, or not followed. */
  service(name: string): AnsweringService | undefined {
    const lower = name.toLowerCase();
    const followed = this.#followed.get(lower);
    if (followed?.isOutdated) this.#build(lower, followed);
    return followed?.state;
  }

  /** Hear of every service of which something changed; returns the way to stop. */
  onChange(listener: (service: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Pick an instance as the policy of the service has it. Throws RollcallError `no_instance` when there is none to be
   * had, `not_ready` before the service was read.
   */
  pick(service: string, options: PickOptions = {}): Lease {
    const lease = this.tryPick(service, options);
    if (lease === undefined) throw new RollcallError('no_instance', `no instance of '${service}' is to be had`);
    return lease;
  }

  /** As `pick`, but undefined when there is none. */
  tryPick(service: string, { client, key, tags = NO_TAGS, exclude, port }: PickOptions = {}): Lease | undefined {
    const name = service.toLowerCase();
    const followed = this.#followed.get(name);
    if (followed === undefined) throw new RollcallError('not_ready', `'${name}' is not followed by this view`);
    if (this.service(name) === undefined) {
      if (followed.follower.isRead) return undefined;
      throw new RollcallError('not_ready', `'${name}' was not read yet`);
    }
    const asker = client === undefined && key === undefined ? this.#own() : askerOf(client ?? this.#selfAddress, key);
    const picker = this.#picker(name, followed, tags);
    const nowMs = performance.now();
    const isFit = ({ instance }: Member): boolean =>
      exclude?.includes(instance.id) !== true && (port === undefined || Object.hasOwn(instance.ports, port));
    const isBest = (member: Member): boolean => isFit(member) && !this.#suspects.has(member.instance.id, nowMs);
    const member = picker.pick(asker, isBest) ?? picker.pick(asker, isFit);
    return member === undefined ? undefined : this.#lease(member, port);
  }

  /** Stop following; picks go on with the last known. Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listeners.clear();
    const all = [...this.#followed.values()];
    for (const { timer } of all) clearTimeout(timer);
    await Promise.all(all.map(({ follower }) => follower.close()));
    for (const { timer } of all) clearTimeout(timer);
  }

  #lease({ instance }: Member, port: string | undefined): Lease {
    const { id } = instance;
    let load = this.#loads.get(id);
    if (load === undefined) {
      load = new LiveLoad();
      this.#loads.set(id, load);
    }
    const picked = port === undefined ? instance : { ...instance, port: instance.ports[port]!.port };
    return new Lease(picked, load, (failed) => {
      if (failed) this.#suspects.failed(id, performance.now());
      else this.#suspects.worked(id);
    });
  }

  #picker(service: string, { pickers }: Followed, tags: readonly string[]): Picker {
    const id = tags.length === 0 ? '' : tags.join('\n').toLowerCase();
    let picker = pickers.get(id);
    if (picker !== undefined) return picker;
    if (pickers.size >= MAX_PICKERS) pickers.clear();
    picker = new Picker({
      service: () => this.service(service),
      tags: tags.map((tag) => tag.toLowerCase()),
      zones: this.#zones,
      loadOf: (each) => this.#loads.get(each),
      random: systemRandom,
      monotonicMs: () => performance.now(),
    });
    pickers.set(id, picker);
    return picker;
  }

  #own(): PickAsker {
    this.#self ??= askerOf(this.#selfAddress);
    return this.#self;
  }

  async #learnAddress(): Promise<void> {
    this.#selfAddress = await this.#options.address();
    this.#self = askerOf(this.#selfAddress);
  }

  #changed(name: string): void {
    const followed = this.#followed.get(name);
    if (followed === undefined || this.#isClosed) return;
    this.#update(name, followed);
    if (followed.timer === undefined) this.#watchReadings(name, followed);
  }

  #update(name: string, followed: Followed): void {
    followed.isOutdated = true;
    for (const picker of followed.pickers.values()) picker.changed();
    for (const listener of this.#listeners) {
      try {
        listener(name);
      } catch (thrown) {
        this.#options.onError(new RollcallError('listener_failed', `a listener failed: ${thrown}`, { cause: thrown }));
      }
    }
  }

  /** Many changes may come between two looks. */
  #build(name: string, followed: Followed): void {
    const before = followed.state;
    followed.isOutdated = false;
    const record = followed.follower.records.get(name);
    followed.state = record === undefined ? undefined : answeringService(name, record);
    for (const id of before?.instances.keys() ?? []) {
      if (!followed.state?.instances.has(id) && this.#loads.get(id)?.inFlight === 0) this.#loads.delete(id);
    }
  }

  #watchReadings(name: string, followed: Followed): void {
    followed.timer = setTimeout(
      () => void this.#readReadings(name, followed),
      READINGS_MS * (0.75 + systemRandom.next() / 2),
    );
    followed.timer.unref();
  }

  async #readReadings(name: string, followed: Followed): Promise<void> {
    const state = this.service(name);
    if (state !== undefined && goesByReadings(state)) {
      // The follower will tell of what goes wrong, if it is more than this.
      const isRead = await followed.follower.refresh(name).then(
        () => true,
        () => false,
      );
      if (isRead && !this.#isOver) this.#update(name, followed);
      if (!this.#isOver) this.#watchReadings(name, followed);
    } else followed.timer = undefined;
  }

  get #isOver(): boolean {
    return this.#isClosed || this.#calls.closed.aborted;
  }
}

function goesByReadings({ policy, instances }: AnsweringService): boolean {
  if (policy?.strategy === 'least-connections' || policy?.strategy === 'latency') return instances.size > 1;
  for (const { warmth } of instances.values()) if (warmth !== undefined) return true;
  return false;
}
