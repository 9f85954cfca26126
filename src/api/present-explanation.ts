// present-explanation.ts -- an explanation as the API shows it

import { formatDuration } from '../base/duration.ts';
import { formatRcode } from '../dns/codes.ts';
import { formatName } from '../dns/name.ts';
import type { Explanation, InstanceExplanation, WayExplanation } from '../nameserver/explanation.ts';
import { MADE_UP } from '../nameserver/synthetic-zone.ts';
import { isDynamic } from '../nameserver/view.ts';
import type { RolloutView } from '../routing/rollout.ts';
import { type JsonText, listJson } from './long-reply.ts';
import { presentPolicy } from './present-instance.ts';
import { presentRollout } from './present-rollout.ts';
import { presentVantages, type Vantage } from './present-vantages.ts';

/** Of shares. Those of very many instances add up to 1 as they are shown. */
const DIGITS = 6;

export interface PresentedQuestion {
  readonly name: string;
  readonly type: string;
  readonly client: string;
}

/** With pauses. `rollout`: that of the service, when the explanation began. `vantages`: how nodes find an instance. */
export function* presentExplanation(
  question: PresentedQuestion,
  { trace, service, routes, ways, instances, dependsOnClient }: Explanation,
  rollout: RolloutView | undefined,
  vantages: (instanceId: string) => readonly Vantage[],
): Generator<void, JsonText> {
  const { served } = trace;
  const head = {
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
            dynamic: isDynamic(served),
          },
    aliases: trace.aliases,
    service: service?.name ?? null,
    policy: service?.policy === undefined ? null : presentPolicy(service.policy),
    rollout: rollout === undefined ? null : presentRollout(rollout),
    dependsOnClient,
    routes: routes.map((each) => ({ ...each, part: rounded(each.part) })),
    answers: ways.map(presentWay),
  };
  return yield* listJson(head, 'instances', instances, (each) => ({
    ...presentInstance(each),
    ...presentChecks(each, vantages),
  }));
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

function presentInstance(explained: InstanceExplanation) {
  const { member, reason, text, rank, share, inclusion, weight, tier, srv } = explained;
  const { instance, status, warmth, connections, latencyMs } = member;
  const { id, address, port } = instance;
  const told = reason === 'status' ? member.reason : undefined;
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
    srvPriority: srv?.priority ?? null,
    srvWeight: srv?.weight ?? null,
    zone: instance.zone ?? null,
  };
}

/** The checks that several nodes run; nothing where there are none. */
function presentChecks({ member }: InstanceExplanation, vantages: (instanceId: string) => readonly Vantage[]) {
  const { instance, checks } = member;
  const all = vantages(instance.id);
  const seen = instance.checks.flatMap((check) => {
    const from = presentVantages(check, all);
    return from === undefined ? [] : [{ id: check.id, outcome: checks[check.id]?.outcome ?? null, vantages: from }];
  });
  return seen.length === 0 ? {} : { checks: seen };
}

function rounded(part: number): number {
  return Number(part.toPrecision(DIGITS));
}
