// watch-event.ts -- one change as a server-sent event, and the ids by which a watcher goes on where it was cut off

import { randomBytes } from 'node:crypto';
import { rfc3339 } from '../base/clock.ts';
import type { Change, ServiceState } from '../registry/change.ts';
import { presentInstance, presentPercents, presentPolicy } from './present-instance.ts';
import { presentPlace } from './present-rollout.ts';

/** The event ids of this node: `<epoch>.<sequence>`; the epoch is another one after every start. */
export class EventIds {
  readonly epoch = randomBytes(8).toString('hex');

  format(sequence: number): string {
    return `${this.epoch}.${sequence}`;
  }

  /** The sequence in an id of ours; undefined for an id that this process never gave. */
  sequenceOf(id: string): number | undefined {
    const [, epoch, digits] = /^([0-9a-f]{16})\.(\d{1,15})$/.exec(id) ?? [];
    return epoch === this.epoch ? Number(digits) : undefined;
  }
}

/** The service after the change; undefined: it is gone. */
type ChangedService = Pick<ServiceState, 'policy' | 'rollout'>;

/** A change as an event (WHATWG HTML, section 9.2), ready to be written to everybody who watches. */
export function encodeEvent(change: Change, state: ChangedService | undefined, id: string): Buffer {
  const data = JSON.stringify(presentChange(change, state));
  return Buffer.from(`event: ${change.kind}\nid: ${id}\ndata: ${data}\n\n`);
}

function presentChange(
  { kind, service, instance, rollout, sequence, atMs, by }: Change,
  state: ChangedService | undefined,
) {
  const policy = state?.policy;
  const percents = kind === 'policy' ? presentPercents(state) : undefined;
  return {
    service,
    index: sequence,
    at: rfc3339(atMs),
    by: by ?? null,
    ...(instance === undefined ? {} : { instance: presentInstance(instance) }),
    ...(kind === 'policy' ? { policy: policy === undefined ? null : presentPolicy(policy) } : {}),
    ...(percents === undefined ? {} : { percents }),
    ...(rollout === undefined ? {} : { rollout: presentPlace(rollout), reason: rollout.reason }),
  };
}

/** Moves a watcher's id on without an event, and shows that the connection lives. */
export function encodeComment(text: string, id: string): Buffer {
  return Buffer.from(`: ${text}\nid: ${id}\n\n`);
}

/** The last event of a stream that the server ends; its id stays that of the last change sent. */
export function encodeEnd(reason: string): Buffer {
  return Buffer.from(`event: end\ndata: ${JSON.stringify({ reason })}\n\n`);
}
