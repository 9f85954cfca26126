// untaken-replies.ts -- a bound on what clients make us hold by asking and not reading
//
// One client is bounded by its connection; that many of them are harmless together has to be seen to as well.

import type { EventEmitter } from 'node:events';
import { CodedError } from '../base/errors.ts';

/** Room for a few hundred of the longest DNS messages. */
const MAX_OCTETS = 32 * 1024 * 1024;

export class UntakenReplies {
  readonly #maxOctets: number;
  #octets = 0;

  constructor(maxOctets = MAX_OCTETS) {
    this.#maxOctets = maxOctets;
  }

  /** What is held now. */
  get octets(): number {
    return this.#octets;
  }

  /** A reply of so many octets is about to be sent by `response`. Throws CodedError `rate_limited` when there is no room. */
  hold(octets: number, response: Pick<EventEmitter, 'once'>): void {
    if (this.#octets + octets > this.#maxOctets) {
      throw new CodedError('rate_limited', 'too many replies wait for clients that do not take them');
    }
    this.#octets += octets;
    response.once('close', () => {
      this.#octets -= octets;
    });
  }
}
