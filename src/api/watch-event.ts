// watch-event.ts -- one change as a server-sent event, and the ids by which a watcher goes on where it was cut off

import { randomBytes } from 'node:crypto';
import { rfc3339 } from '../base/clock.ts';
import type { Change } from '../registry/change.ts';
import type { Policy } from '../registry/policy.ts';
import { presentInstance, presentPolicy } from './present-instance.ts';
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

/** A change as an event (WHATWG HTML, section 9.2), ready to be written to everybody who watches. */
export function encodeEvent(change: Change, policy: Policy | undefined, id: string): Buffer {
  const data = JSON.stringify(presentChange(change, policy));
  return Buffer.from(`event: ${change.kind}\nid: ${id}\ndata: ${data}\n\n`);
}

function presentChange({ kind, service, instance, rollout, sequence, atMs, by }: Change, policy: Policy | undefined) {
  return {
    service,
    index: sequence,
    at: rfc3339(atMs),
    by: by ?? null,
    ...(instance === undefined ? {} : { instance: presentInstance(instance) }),
    ...(kind === 'policy' ? { policy: policy === undefined ? null : presentPolicy(policy) } : {}),
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
