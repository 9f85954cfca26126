// present-instance.ts -- instances, checks, services and policies as the API shows them: durations and times as text

import { rfc3339 } from '../base/clock.ts';
import { formatDuration } from '../base/duration.ts';
import type { CheckSpec } from '../health/check-spec.ts';
import type { ServiceState } from '../registry/change.ts';
import {
  type CheckState,
  type Instance,
  type InstanceState,
  isAnswerable,
  type Readings,
} from '../registry/instance.ts';
import type { Policy } from '../registry/policy.ts';
import { routesInForce } from '../routing/rollout.ts';
import { presentStep } from './present-rollout.ts';
import { presentVantages, type Vantage } from './present-vantages.ts';

/** What a registration says, in the shape in which one is sent; without its checks. */
export function presentRegistration(instance: Instance) {
  return {
    id: instance.id,
    service: instance.service,
    address: instance.address,
    port: instance.port,
    ports: Object.fromEntries(
      Object.entries(instance.ports).map(([name, { port, proto }]) => [name, proto === 'tcp' ? port : { port, proto }]),
    ),
    tags: instance.tags,
    meta: instance.meta,
    weight: instance.weight,
    ...(instance.zone === undefined ? {} : { zone: instance.zone }),
    ...(instance.ttlSeconds === undefined ? {} : { ttl: formatDuration(instance.ttlSeconds * 1000) }),
    ...(instance.leaseTtlMs === undefined ? {} : { leaseTtl: formatDuration(instance.leaseTtlMs) }),
    ...(instance.warmupMs === undefined ? {} : { warmup: formatDuration(instance.warmupMs) }),
  };
}

/** An instance with all that is known of it. `vantages`: how each node finds it. */
export function presentInstance(state: InstanceState, vantages: readonly Vantage[] = []) {
  const { instance, leaseExpiresAtMs } = state;
  return {
    ...presentRegistration(instance),
    checks: presentChecks(state, vantages),
    status: state.status,
    reason: state.reason,
    revision: state.revision,
    registeredAt: rfc3339(state.registeredAtMs),
    static: state.isStatic,
    lease: leaseExpiresAtMs === undefined ? null : { expiresAt: rfc3339(leaseExpiresAtMs) },
    load: state.load ?? null,
    ...(state.lastAnswerableMs === undefined ? {} : { lastAnswerable: rfc3339(state.lastAnswerableMs) }),
    ...presentReadings(state),
  };
}

/** What balancing goes by now, where it goes by anything. */
function presentReadings({ connections, latencyMs, warmth }: Readings) {
  const isBalanced = connections !== undefined || latencyMs !== undefined;
  return {
    ...(isBalanced ? { balancedBy: { connections: connections ?? null, latencyMs: latencyMs ?? null } } : {}),
    ...(warmth === undefined ? {} : { warmth }),
  };
}

export function presentChecks(state: InstanceState, vantages: readonly Vantage[] = []) {
  return state.instance.checks.map((check) => presentCheck(check, state.checks[check.id], vantages));
}

/** One check and where it stands. */
export function presentCheck(check: CheckSpec, state: CheckState | undefined, vantages: readonly Vantage[]) {
  const seen = presentVantages(check, vantages);
  const { intervalMs, timeoutMs, deregisterAfterMs, ...rest } = check;
  return {
    ...rest,
    ...(check.schedule === undefined ? { interval: formatDuration(intervalMs) } : {}),
    // Nobody is asked, so there is nothing to wait for.
    ...(check.type === 'heartbeat' ? {} : { timeout: formatDuration(timeoutMs) }),
    ...(deregisterAfterMs === undefined ? {} : { deregisterAfter: formatDuration(deregisterAfterMs) }),
    outcome: state?.outcome ?? null,
    output: state?.output ?? '',
    latencyMs: state?.latencyMs ?? null,
    since: state === undefined ? null : rfc3339(state.sinceMs),
    ...(state?.failing ? { failing: true } : {}),
    ...(state?.damping === undefined ? {} : { damping: presentDamping(state.damping) }),
    ...(seen === undefined ? {} : { vantages: seen }),
  };
}

function presentDamping({ penalty, suppressed, reuseAtMs }: NonNullable<CheckState['damping']>) {
  return { penalty, suppressed, reuseAt: reuseAtMs === undefined ? null : rfc3339(reuseAtMs) };
}

/** What each route of the policy gets now; undefined: what the policy says. */
export function presentPercents(service: Pick<ServiceState, 'policy' | 'rollout'> | undefined): number[] | undefined {
  if (service?.policy?.steps === undefined) return undefined;
  return routesInForce(service).map(({ percent = 100 }) => percent);
}

/** One row of the list of services; `healthy` counts the instances that are in the answers. */
export function presentServiceRow(service: ServiceState) {
  const instances = [...service.instances.values()];
  return {
    name: service.name,
    instances: instances.length,
    healthy: instances.filter(({ status }) => isAnswerable(status)).length,
    tags: [...new Set(instances.flatMap(({ instance }) => instance.tags))].sort(),
    strategy: service.policy?.strategy ?? 'round-robin',
    index: service.index,
  };
}

export function presentPolicy({ ttlSeconds, slowStartMs, steps, ...rest }: Policy) {
  return {
    ...rest,
    ...(ttlSeconds === undefined ? {} : { ttl: formatDuration(ttlSeconds * 1000) }),
    ...(slowStartMs === undefined ? {} : { slowStart: formatDuration(slowStartMs) }),
    ...(steps === undefined ? {} : { steps: steps.map(presentStep) }),
  };
}
