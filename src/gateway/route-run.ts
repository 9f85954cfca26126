// route-run.ts -- a route at work: its picker, its queue, its budget of retries and its times

import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../base/clock.ts';
import type { Member } from '../registry/member.ts';
import type { PickAsker, Picker } from '../routing/picker.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import type { GatewayRoute } from './gateway-settings.ts';
import type { Outliers, OutlierWatch } from './outliers.ts';
import { RequestQueue } from './request-queue.ts';
import { RetryBudget } from './retry-budget.ts';
import type { ServiceUpstreams, UpstreamWay } from './service-upstreams.ts';
import type { Upstream } from './upstream.ts';

export interface RouteRunOptions {
  readonly route: GatewayRoute;
  readonly picker: Picker;
  readonly upstreams: ServiceUpstreams;
  readonly outliers: Outliers;
  readonly clock: Clock;
}

/** An instance and the way to it. */
export interface Picked {
  readonly id: string;
  readonly upstream: Upstream;
}

export class RouteRun {
  readonly route: GatewayRoute;
  readonly upstreams: ServiceUpstreams;
  readonly way: UpstreamWay;
  readonly deadlines: DeadlineQueue;
  readonly queue: RequestQueue;
  readonly budget: RetryBudget;
  readonly watch: OutlierWatch | undefined;
  readonly statuses: ReadonlySet<number>;
  readonly #outliers: Outliers;
  #picker: Picker;

  constructor({ route, picker, upstreams, outliers, clock }: RouteRunOptions) {
    this.route = route;
    this.upstreams = upstreams;
    this.way = { port: route.port, tls: route.tls, tlsKey: route.tls === undefined ? '' : JSON.stringify(route.tls) };
    this.deadlines = new DeadlineQueue(clock, route.timeoutMs);
    this.queue = new RequestQueue(clock, route.limits.maxQueued, route.limits.queueTimeoutMs);
    this.budget = new RetryBudget(route.retries.budget);
    this.watch = route.outliers === undefined ? undefined : outliers.watch(route.service, route.outliers);
    this.statuses = new Set(route.retries.statuses);
    this.#outliers = outliers;
    this.#picker = picker;
  }

  /** Another one of the same service and tags. */
  set picker(picker: Picker) {
    this.#picker = picker;
  }

  /** The same in every respect? */
  is(route: GatewayRoute): boolean {
    return isDeepStrictEqual(this.route, route);
  }

  /** An instance that has room, not one of `tried`. `full`: there are some, without room. `none`: there are none. */
  pick(asker: PickAsker, tried: readonly string[] | undefined): Picked | 'full' | 'none' {
    const member = this.#picker.pick(
      asker,
      tried === undefined ? this.#hasRoom : (each) => !isIn(tried, each) && this.#hasRoom(each),
    );
    if (member !== undefined) return this.#picked(member);
    const isLeft = (each: Member): boolean => !(tried !== undefined && isIn(tried, each)) && this.#hasPort(each);
    if (this.#outliers.hasEjected) {
      // Nobody else is there: better one that failed than none.
      const ejected = this.#picker.pick(asker, (each) => isLeft(each) && this.#isBelowLimit(each));
      if (ejected !== undefined) return this.#picked(ejected);
    }
    return this.#picker.pick(asker, isLeft) === undefined ? 'none' : 'full';
  }

  /** No more requests come. */
  close(): void {
    this.watch?.close();
  }

  /** None is under way either. */
  stop(): void {
    this.close();
    this.deadlines.stop();
    this.queue.stop();
  }

  #picked(member: Member): Picked {
    return { id: member.instance.id, upstream: this.upstreams.of(member, this.way)! };
  }

  readonly #hasRoom = (member: Member): boolean => {
    if (this.#outliers.isEjected(member.instance.id)) return false;
    return this.#hasPort(member) && this.#isBelowLimit(member);
  };

  #isBelowLimit(member: Member): boolean {
    return this.upstreams.taken(member, this.way) < this.route.limits.maxConnections;
  }

  #hasPort({ instance }: Member): boolean {
    return this.way.port === undefined || Object.hasOwn(instance.ports, this.way.port);
  }
}

function isIn(tried: readonly string[], { instance }: Member): boolean {
  return tried.includes(instance.id);
}
