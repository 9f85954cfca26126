// lease.ts -- an instance that was picked for a request, held until the request ends

import { formatEndpoint } from '../base/ip.ts';
import type { LiveLoad } from '../routing/live-load.ts';

/** What came of a request. */
export interface LeaseOutcome {
  /** From sending it to the first octet of the reply, in milliseconds. */
  readonly latencyMs?: number;
  /** True: it could not be sent, or the reply was an error of the instance. False: it worked. Undefined: who knows. */
  readonly failed?: boolean | undefined;
}

/** What is needed of a picked instance. */
export interface Picked {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
}

/** Counts as a request under way until `done` is called. */
export class Lease implements Picked {
  readonly id: string;
  /** IP address, or a host name. */
  readonly address: string;
  readonly port: number;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  readonly #load: LiveLoad | undefined;
  readonly #onDone: ((failed: boolean) => void) | undefined;
  #isDone = false;

  constructor(picked: Picked, load?: LiveLoad, onDone?: (failed: boolean) => void) {
    this.id = picked.id;
    this.address = picked.address;
    this.port = picked.port;
    this.tags = picked.tags;
    this.meta = picked.meta;
    this.#load = load;
    this.#onDone = onDone;
    load?.begin();
  }

  /** `http://10.0.0.7:8080`, without a path. */
  url(scheme = 'http'): string {
    return `${scheme}://${formatEndpoint(this)}`;
  }

  /** The request has ended; only the first call counts. Without an outcome nothing is said of it. */
  done({ latencyMs, failed = latencyMs === undefined ? undefined : false }: LeaseOutcome = {}): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#load?.end();
    if (latencyMs !== undefined && latencyMs >= 0) this.#load?.sample(latencyMs, performance.now(), failed);
    if (failed !== undefined) this.#onDone?.(failed);
  }
}
