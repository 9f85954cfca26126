// present-explanation.ts -- an explanation as the API shows it

import { formatDuration } from '../base/duration.ts';
import { formatRcode } from '../dns/codes.ts';
import { formatName } from '../dns/name.ts';
import type { Explanation, InstanceExplanation, WayExplanation } from '../nameserver/explain.ts';
import { MADE_UP } from '../nameserver/synthetic-zone.ts';
import type { ApiParts } from './api-parts.ts';
import { presentPolicy } from './present-instance.ts';
import { presentRollout } from './present-rollout.ts';

/** Shares are shown to a ten-thousandth: what drawing can tell. */
const DIGITS = 1e4;

export interface PresentedQuestion {
  readonly name: string;
  readonly type: string;
  readonly client: string;
}

export function presentExplanation(
  question: PresentedQuestion,
  { trace, service, routes, ways, instances, dependsOnClient }: Explanation,
  { registry, rollouts }: Pick<ApiParts, 'registry' | 'rollouts'>,
) {
  const { served } = trace;
  const rollout = service === undefined ? undefined : rollouts.show(service.name);
  return {
    question,
    result: trace.result,
    rcode: formatRcode(trace.rcode),
    reason: trace.reason,
    zone:
      served === undefined
        ? null
        : {
            apex: formatName(served.zone.apex),
            file: served.zone.file === MADE_UP ? null : served.zone.file,
            dynamic: served.domain !== undefined,
          },
    aliases: trace.aliases,
    service: service?.name ?? null,
    policy: service?.policy === undefined ? null : presentPolicy(service.policy),
    rollout: rollout === undefined ? null : presentRollout(rollout),
    dependsOnClient,
    routes: routes.map((each) => ({ ...each, part: rounded(each.part) })),
    answers: ways.map(presentWay),
    instances: instances.map((each) => presentInstance(each, registry)),
  };
}

function presentWay({ route, part, source, home, tiers, records, limit, ttlSeconds, ttlReason }: WayExplanation) {
  return {
    route: route ?? null,
    part: rounded(part),
    source,
    home: home ?? null,
    tiers: tiers.map(({ spillBelow, ...rest }) => ({ ...rest, spillBelow: spillBelow ?? null })),
    records,
    maxAnswers: limit,
    ttl: formatDuration(ttlSeconds * 1000),
    ttlReason,
  };
}

function presentInstance(explained: InstanceExplanation, registry: ApiParts['registry']) {
  const { member, reason, text, rank, share, inclusion, weight, tier } = explained;
  const { instance, status, warmth, connections, latencyMs } = member;
  const { id, address, port } = instance;
  const told = reason === 'status' ? registry.instance(id)?.reason : undefined;
  return {
    id,
    address,
    port,
    status,
    in: rank !== undefined,
    reason,
    text: told === undefined || told === text ? text : `${text}: ${told}`,
    rank: rank ?? null,
    share: rounded(share),
    inclusion: rounded(inclusion),
    weight: instance.weight,
    weightInForce: weight ?? null,
    warmth: warmth ?? null,
    connections: connections ?? null,
    latencyMs: latencyMs ?? null,
    tier: tier ?? null,
    zone: instance.zone ?? null,
  };
}

function rounded(part: number): number {
  return Math.round(part * DIGITS) / DIGITS;
}
