// unbranched.ts -- the instances of a service whose name is not answered with them: an alias, or no name at all

import { mapped } from '../base/pauses.ts';
import { foldedLabels, labelCount } from '../dns/name.ts';
import type { ServiceState } from '../registry/change.ts';
import { type InstanceState, isAnswerable } from '../registry/instance.ts';
import type { ExplainedService, InstanceExplanation, Why } from './explanation.ts';
import { NO_CHANCES, ranked, type Unranked } from './rank-instances.ts';
import { meantService, type Trace } from './trace-name.ts';

export const TAGS: Why = { reason: 'tags', text: 'does not have all tags of the name' };

interface Unbranched {
  readonly service: ExplainedService;
  readonly instances: readonly InstanceExplanation[];
}

/** Of the service that is an alias, or that a name which does not exist would belong to; undefined: there is none. */
export function* unbranched(
  trace: Trace,
  serviceOf: (name: string) => ServiceState | undefined,
): Generator<void, Unbranched | undefined> {
  const { aliasOf } = trace;
  const name = aliasOf?.service ?? (trace.result === 'nxdomain' ? meantService(trace.owner, trace.served) : undefined);
  const state = name === undefined ? undefined : serviceOf(name);
  if (state === undefined) return undefined;
  const service = { name: state.name, policy: state.policy };
  const lack = lackOf(trace);
  const instances = yield* mapped([...state.instances.values()], (member) =>
    aliasOf === undefined ? outBecause(member, lack) : behindAlias(member, aliasOf.target),
  );
  return { service, instances: yield* ranked(instances) };
}

/** All have one host name, so any of them that is well is what the name leads to. */
function behindAlias(member: InstanceState, target: string): Unranked {
  if (!isAnswerable(member.status)) return outBecause(member, { reason: 'status', text: member.status });
  const text = `the name is an alias of ${target}`;
  const chances = { share: 1, inclusion: 1, error: 0, place: 0, reach: 1 };
  return { ...outBecause(member, { reason: 'alias', text }), ...chances };
}

function outBecause(member: InstanceState, why: Why): Unranked {
  return { member, ...why, ...NO_CHANCES, weight: undefined, tier: undefined, srv: undefined };
}

/** What nobody has of a name that does not exist: all of its tags, or its port. */
function lackOf({ owner, served }: Trace): Why {
  if (served === undefined) return TAGS;
  const labels = foldedLabels(owner);
  const below = labels.slice(0, labels.length - labelCount(served.zone.apex));
  const proto = below.length > 2 ? below.at(-2) : undefined;
  return proto === '_tcp' || proto === '_udp'
    ? { reason: 'type', text: `has no such port over ${proto.slice(1)}` }
    : TAGS;
}
