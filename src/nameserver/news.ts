// news.ts -- what a shard is told about the registry and the zones, in the order it happened

import type { Change } from '../registry/change.ts';
import type { Status } from '../registry/instance.ts';
import type { AnsweringInstance, AnsweringService, Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import type { Rollout } from '../registry/rollout.ts';
import type { ViewPlan } from './build-view.ts';
import type { QuerySettings } from './query-settings.ts';

/** News about the registry. */
export type RegistryNews =
  /** An instance was registered, replaced, or changed its status. `place`: its service's, in the counters. */
  | { readonly op: 'member'; readonly member: Member; readonly place: number }
  | { readonly op: 'gone'; readonly id: string; readonly service: string }
  /** `rollout`: how far its steps have come. */
  | {
      readonly op: 'policy';
      readonly service: string;
      readonly policy: Policy | undefined;
      readonly rollout?: Rollout | undefined;
      readonly place: number;
    }
  /** What balancing goes by now, of instances that are known. */
  | { readonly op: 'readings'; readonly service: string; readonly told: readonly ToldReadings[] }
  /** Instances of one service, in order. */
  | {
      readonly op: 'members';
      readonly service: string;
      readonly place: number;
      readonly members: readonly ToldMember[];
    }
  /** Much at once, in order: a message costs more than what is in it. */
  | { readonly op: 'bulk'; readonly news: readonly RegistryNews[] };

/** What balancing goes by of one instance; null: nothing is known. */
export type ToldReadings = readonly [
  id: string,
  connections: number | null,
  latencyMs: number | null,
  warmth: number | null,
  loadReports: number | null,
  loadTrust: number | null,
];

/** A member without the words for its parts: a start tells of all there are. */
type ToldMember = readonly [
  id: string,
  address: string,
  port: number,
  status: Status,
  weight: number,
  tags: AnsweringInstance['tags'],
  ports: AnsweringInstance['ports'],
  meta: AnsweringInstance['meta'],
  ttlSeconds: number | undefined,
  /** Said of few. */
  lastAnswerableMs?: number | undefined,
  isFailing?: boolean | undefined,
  zone?: string | undefined,
  connections?: number | undefined,
  latencyMs?: number | undefined,
  warmth?: number | undefined,
  loadReports?: number | undefined,
  loadTrust?: number | undefined,
];

/** One message to a shard. Everything in it survives a structured clone. */
export type News =
  | RegistryNews
  /** Another generation of zones and settings. */
  | { readonly op: 'view'; readonly plan: ViewPlan; readonly settings: QuerySettings }
  /** Other settings for the same zones. */
  | { readonly op: 'settings'; readonly settings: QuerySettings };

/** The news in a change. `serviceOf` and `placeOf` look a service up. */
export function newsOf(
  change: Change,
  serviceOf: (service: string) => Pick<AnsweringService, 'policy' | 'rollout'> | undefined,
  placeOf: (service: string) => number,
): RegistryNews {
  const { kind, service, instance } = change;
  if (instance === undefined) return policyNews(service, serviceOf(service), placeOf(service));
  if (kind === 'deregister') return { op: 'gone', id: instance.instance.id, service };
  return memberNews(instance, placeOf(service));
}

/** The news that a service has this policy, or none. */
export function policyNews(
  service: string,
  known: Pick<AnsweringService, 'policy' | 'rollout'> | undefined,
  place: number,
): RegistryNews {
  const rollout = known?.rollout === undefined ? {} : { rollout: known.rollout };
  return { op: 'policy', service, policy: known?.policy, ...rollout, place };
}

/** The news that an instance is there: only what answers are made of. */
export function memberNews(member: Member, place: number): RegistryNews {
  const { instance, status, lastAnswerableMs, isFailing } = member;
  const { connections, loadReports, loadTrust, latencyMs, warmth } = member;
  return {
    op: 'member',
    member: {
      instance: answeringInstance(instance),
      status,
      ...(lastAnswerableMs === undefined ? {} : { lastAnswerableMs }),
      ...(isFailing ? { isFailing } : {}),
      ...(connections === undefined ? {} : { connections }),
      ...(loadReports === undefined ? {} : { loadReports }),
      ...(loadTrust === undefined ? {} : { loadTrust }),
      ...(latencyMs === undefined ? {} : { latencyMs }),
      ...(warmth === undefined ? {} : { warmth }),
    },
    place,
  };
}

/** The news of what balancing goes by, of instances of one service. */
export function readingsNews(service: string, members: readonly Member[]): RegistryNews {
  const told = members.map(
    ({ instance, connections, latencyMs, warmth, loadReports, loadTrust }): ToldReadings => [
      instance.id,
      connections ?? null,
      latencyMs ?? null,
      warmth ?? null,
      loadReports ?? null,
      loadTrust ?? null,
    ],
  );
  return { op: 'readings', service, told };
}

/** The same as `memberNews`, for news of kind `members`. */
export function tellMember(member: Member): ToldMember {
  const { instance, status, lastAnswerableMs, isFailing = false } = member;
  const { connections, latencyMs, warmth, loadReports, loadTrust } = member;
  const { id, address, port, weight, tags, ports, meta, ttlSeconds, zone } = instance;
  const told = [id, address, port, status, weight, tags, ports, meta, ttlSeconds] as const;
  const load = [connections, latencyMs, warmth, loadReports, loadTrust] as const;
  const few = [lastAnswerableMs, isFailing, zone, ...load] as const;
  return few.some((each) => each !== undefined && each !== false) ? [...told, ...few] : told;
}

/** The member that was told. */
export function memberOf(service: string, told: ToldMember): Member {
  const [id, address, port, status, weight, tags, ports, meta, ttlSeconds, ...few] = told;
  const [lastAnswerableMs, isFailing = false, zone, ...load] = few;
  const [connections, latencyMs, warmth, loadReports, loadTrust] = load;
  const parts = { id, service, address, port, ports, tags, meta, weight, ttlSeconds, zone };
  const instance = answeringInstance(parts);
  const readings = { connections, loadReports, loadTrust, latencyMs, warmth };
  return { instance, status, lastAnswerableMs, isFailing, ...readings };
}

/** Only what an answer can hold, without what is not set. */
function answeringInstance(
  parts: Omit<AnsweringInstance, 'ttlSeconds' | 'zone'> & {
    readonly ttlSeconds?: number | undefined;
    readonly zone?: string | undefined;
  },
): AnsweringInstance {
  const { id, service, address, port, ports, tags, meta, weight, ttlSeconds, zone } = parts;
  return {
    id,
    service,
    address,
    port,
    ports,
    tags,
    meta,
    weight,
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(zone === undefined ? {} : { zone }),
  };
}
