// news.ts -- what a shard is told about the registry and the zones, in the order it happened

import type { Change } from '../registry/change.ts';
import type { Status } from '../registry/instance.ts';
import type { AnsweringInstance, Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import type { ViewPlan } from './build-view.ts';

/** News about the registry. */
export type RegistryNews =
  /** An instance was registered, replaced, or changed its status. `place`: its service's, in the counters. */
  | { readonly op: 'member'; readonly member: Member; readonly place: number }
  | { readonly op: 'gone'; readonly id: string; readonly service: string }
  | { readonly op: 'policy'; readonly service: string; readonly policy: Policy | undefined; readonly place: number }
  /** Instances of one service, in order. */
  | {
      readonly op: 'members';
      readonly service: string;
      readonly place: number;
      readonly members: readonly ToldMember[];
    }
  /** Much at once, in order: a message costs more than what is in it. */
  | { readonly op: 'bulk'; readonly news: readonly RegistryNews[] };

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
];

/** One message to a shard. Everything in it survives a structured clone. */
export type News =
  | RegistryNews
  /** Another generation of zones and settings. */
  | { readonly op: 'view'; readonly plan: ViewPlan; readonly maxUdpSize: number };

/** The news in a change. `policyOf` and `placeOf` look a service up. */
export function newsOf(
  change: Change,
  policyOf: (service: string) => Policy | undefined,
  placeOf: (service: string) => number,
): RegistryNews {
  const { kind, service, instance } = change;
  if (instance === undefined) return { op: 'policy', service, policy: policyOf(service), place: placeOf(service) };
  if (kind === 'deregister') return { op: 'gone', id: instance.instance.id, service };
  return memberNews(instance, placeOf(service));
}

/** The news that an instance is there: only what answers are made of. */
export function memberNews({ instance, status, lastAnswerableMs, isFailing }: Member, place: number): RegistryNews {
  const { id, service, address, port, ports, tags, meta, weight, ttlSeconds } = instance;
  const ttl = ttlSeconds === undefined ? {} : { ttlSeconds };
  return {
    op: 'member',
    member: {
      instance: { id, service, address, port, ports, tags, meta, weight, ...ttl },
      status,
      ...(lastAnswerableMs === undefined ? {} : { lastAnswerableMs }),
      ...(isFailing ? { isFailing } : {}),
    },
    place,
  };
}

/** The same, for news of kind `members`. */
export function tellMember({ instance, status, lastAnswerableMs, isFailing }: Member): ToldMember {
  const { id, address, port, weight, tags, ports, meta, ttlSeconds } = instance;
  const told = [id, address, port, status, weight, tags, ports, meta, ttlSeconds] as const;
  return lastAnswerableMs === undefined && !isFailing ? told : [...told, lastAnswerableMs, isFailing];
}

/** The member that was told. */
export function memberOf(
  service: string,
  [id, address, port, status, weight, tags, ports, meta, ttlSeconds, lastAnswerableMs, isFailing = false]: ToldMember,
): Member {
  const ttl = ttlSeconds === undefined ? {} : { ttlSeconds };
  const instance = { id, service, address, port, ports, tags, meta, weight, ...ttl };
  return { instance, status, lastAnswerableMs, isFailing };
}
