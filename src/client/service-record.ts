// service-record.ts -- what a follower knows of one service, and the difference between that and what it reads anew

import type { CheckStateDocument, InstanceDocument, ServiceChange, ServiceDocument } from './service-document.ts';

/** One service; changed in place as events come. */
export interface ServiceRecord extends Pick<ServiceDocument, 'policy'> {
  index: number;
  policy: ServiceDocument['policy'];
  percents: readonly number[] | undefined;
  readonly instances: Map<string, InstanceDocument>;
}

export function recordOf({ index, policy, percents, instances }: ServiceDocument): ServiceRecord {
  return { index, policy, percents, instances: new Map(instances.map((each) => [each.id, each])) };
}

/** Put a change into the records. False: it is one from before they were read. */
export function applyChange(records: Map<string, ServiceRecord>, change: ServiceChange): boolean {
  const { service, index, kind, instance, policy, percents } = change;
  let record = records.get(service);
  if (record !== undefined && index <= record.index) return false;
  if (record === undefined) {
    record = { index, policy: null, percents: undefined, instances: new Map() };
    records.set(service, record);
  }
  record.index = index;
  if (kind === 'policy') {
    record.policy = policy ?? null;
    record.percents = percents;
  } else if (instance !== undefined) {
    if (kind === 'deregister') record.instances.delete(instance.id);
    else record.instances.set(instance.id, instance);
  }
  if (record.instances.size === 0 && record.policy === null) records.delete(service);
  return true;
}

/** The changes that lead from one state of a service to another; undefined: it is not there. */
export function differences(
  service: string,
  before: ServiceRecord | undefined,
  after: ServiceRecord | undefined,
): ServiceChange[] {
  const index = after?.index ?? before?.index ?? 0;
  const found = (kind: ServiceChange['kind'], about: Partial<ServiceChange>): ServiceChange => ({
    kind,
    service,
    index,
    at: undefined,
    by: undefined,
    instance: undefined,
    policy: undefined,
    rollout: undefined,
    percents: undefined,
    ...about,
    isCaughtUp: true,
  });
  const changes: ServiceChange[] = [];
  const [policy = null, percents] = [after?.policy, after?.percents];
  if (stableText([before?.policy ?? null, before?.percents]) !== stableText([policy, percents])) {
    changes.push(found('policy', { policy, percents }));
  }
  for (const [id, instance] of before?.instances ?? []) {
    if (!after?.instances.has(id)) changes.push(found('deregister', { instance }));
  }
  for (const [id, instance] of after?.instances ?? []) {
    const old = before?.instances.get(id);
    if (old === undefined) changes.push(found('register', { instance }));
    else if (registrationText(old) !== registrationText(instance)) changes.push(found('update', { instance }));
    else if (healthText(old) !== healthText(instance)) changes.push(found('health', { instance }));
  }
  return changes;
}

/** What was registered: revision and date begin anew with a server that forgot, and are no difference. */
function registrationText(instance: InstanceDocument): string {
  const { id, address, port, ports, tags, meta, weight, zone, ttl, leaseTtl, warmup, checks } = instance;
  return stableText([id, address, port, ports, tags, meta, weight, zone, ttl, leaseTtl, warmup, checks.map(bareCheck)]);
}

function bareCheck(check: CheckStateDocument): object {
  const { outcome: _outcome, output: _output, latencyMs: _latency, since: _since, failing: _failing, ...bare } = check;
  const { damping: _damping, ...rest } = bare;
  return rest;
}

function healthText({ status, reason, checks }: InstanceDocument): string {
  return stableText([status, reason, checks.map(({ outcome }) => outcome)]);
}

/** JSON with the keys of objects in order. */
function stableText(value: unknown): string {
  return JSON.stringify(value, (_key, each) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
