// read-member.ts -- the documents of the API as what routing goes by

import { parseDuration } from '../base/duration.ts';
import { NO_META, NO_PORTS } from '../registry/instance.ts';
import type { AnsweringService, Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import type { InstanceDocument } from './service-document.ts';
import type { ServiceRecord } from './service-record.ts';

/** Members by the document they were made of: most of a service stays as it is when one instance changes. */
const MEMBERS = new WeakMap<InstanceDocument, Member>();

/** A service as pickers see it. */
export function answeringService(name: string, record: ServiceRecord): AnsweringService {
  const instances = new Map<string, Member>();
  for (const [id, document] of record.instances) instances.set(id, memberOf(document));
  return { name, policy: policyOf(record), rollout: undefined, instances };
}

function memberOf(document: InstanceDocument): Member {
  let member = MEMBERS.get(document);
  if (member === undefined) {
    member = readMember(document);
    MEMBERS.set(document, member);
  }
  return member;
}

function readMember(document: InstanceDocument): Member {
  const { id, service, address, port, ports, tags = [], meta, weight = 1, zone, ttl, status } = document;
  const { balancedBy, warmth, lastAnswerable } = document;
  const ttlMs = ttl === undefined ? undefined : parseDuration(ttl);
  return {
    instance: {
      id,
      service,
      address,
      port,
      ports: ports === undefined ? NO_PORTS : readPorts(ports),
      tags,
      meta: meta ?? NO_META,
      weight,
      ...(zone === undefined ? {} : { zone }),
      ...(ttlMs === undefined ? {} : { ttlSeconds: ttlMs / 1000 }),
    },
    status,
    isFailing: document.checks.some(({ failing }) => failing === true),
    ...(lastAnswerable === undefined ? {} : { lastAnswerableMs: Date.parse(lastAnswerable) }),
    connections: balancedBy?.connections ?? undefined,
    latencyMs: balancedBy?.latencyMs ?? undefined,
    warmth,
  };
}

function readPorts(ports: NonNullable<InstanceDocument['ports']>): Member['instance']['ports'] {
  return Object.fromEntries(
    Object.entries(ports).map(([name, stated]) => {
      const { port, proto = 'tcp' } = typeof stated === 'number' ? { port: stated } : stated;
      return [name, { port, proto }];
    }),
  );
}

/** The policy, its routes with the percents that its steps give them now: the steps themselves are the server's. */
function policyOf({ policy, percents }: ServiceRecord): Policy | undefined {
  if (policy === null) return undefined;
  const { ttl, slowStart, steps: _steps, guard: _guard, routes, ...rest } = policy;
  const ttlMs = ttl === undefined ? undefined : parseDuration(ttl);
  const slowStartMs = slowStart === undefined ? undefined : parseDuration(slowStart);
  return {
    ...rest,
    ...(ttlMs === undefined ? {} : { ttlSeconds: ttlMs / 1000 }),
    ...(slowStartMs === undefined ? {} : { slowStartMs }),
    ...(routes === undefined
      ? {}
      : {
          routes: routes.map((route, i) => {
            const percent = percents?.[i];
            return percent === undefined ? route : { ...route, percent };
          }),
        }),
  };
}
