// ejections.ts -- carries the gateway's verdicts into the registry, and what becomes of instances back to the gateway

import { formatDuration } from '../base/duration.ts';
import type { Logger } from '../base/log.ts';
import type { OutlierVerdict } from '../gateway/outliers.ts';
import { GATEWAY } from '../registry/author.ts';
import { isAnswerable } from '../registry/instance.ts';
import type { Registry } from '../registry/registry.ts';

/** What the registry's side needs of the gateway's outliers. */
export interface EjectedElsewhere {
  isEjected(id: string): boolean;
  readmit(id: string): void;
  forget(id: string): void;
}

/** Ids of a service's answerable instances, as the outliers ask for them. */
export function answerableIds(registry: Registry, service: string): string[] {
  const ids: string[] = [];
  for (const [id, { status }] of registry.service(service)?.instances ?? []) if (isAnswerable(status)) ids.push(id);
  return ids;
}

/** Out of the answers, or back: status, history, events and shards follow. */
export function applyVerdict(registry: Registry, log: Logger, verdict: OutlierVerdict): void {
  const { kind, service, instance, reason, forMs } = verdict;
  // It may have gone in this moment.
  if (registry.instance(instance) === undefined) return;
  if (kind === 'eject') {
    const why = `ejected by the gateway for ${formatDuration(Math.ceil(forMs))}: ${reason}`;
    log.warn({ service, instance, reason: why }, 'instance ejected');
    registry.eject(instance, why, GATEWAY);
  } else {
    // Not when somebody else has done so: it would be news by the wrong author.
    if (registry.isEjected(instance)) registry.readmit(instance, GATEWAY);
    log.info({ service, instance, reason }, 'instance readmitted');
  }
}

/** Let the outliers know who was readmitted by hand, is gone, or is another one now. Returns the way to stop. */
export function followRegistry(registry: Registry, outliers: EjectedElsewhere): () => void {
  return registry.onChange(({ kind, instance, before }) => {
    if (instance === undefined) return;
    const { id, address, port } = instance.instance;
    const wasAt = before?.instance ?? instance.instance;
    if (kind === 'deregister' || wasAt.address !== address || wasAt.port !== port) outliers.forget(id);
    else if (outliers.isEjected(id) && !registry.isEjected(id)) outliers.readmit(id);
  });
}
