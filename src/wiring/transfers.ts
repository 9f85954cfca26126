// transfers.ts -- the zone transfers under way: what they read, and how many there may be

import type { Logger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { HEADER_LENGTH } from '../dns/header.ts';
import { formatName } from '../dns/name.ts';
import { soaSerial } from '../dns/rdata/basic.ts';
import { type Request, readRequest } from '../dns/request.ts';
import { QueryDraw } from '../nameserver/query-draw.ts';
import { RegistrySnapshot } from '../nameserver/registry-snapshot.ts';
import { writeServerFailure } from '../nameserver/response.ts';
import { transferMessages } from '../nameserver/transfer.ts';
import { zoneAt } from '../nameserver/transfer-gate.ts';
import { currentSoa, isDynamic, type ServedZone, type View, type ViewState } from '../nameserver/view.ts';
import { zoneContents } from '../nameserver/zone-contents.ts';
import type { ServiceState } from '../registry/change.ts';

/** At once: each holds on to all that was registered when it began. */
const MAX_TRANSFERS = 8;

export interface TransfersOptions {
  readonly log: Logger;
  view(): View;
  state(): Readonly<ViewState>;
  services(): Iterable<ServiceState>;
  maxUdpSize(): number;
}

export class Transfers {
  readonly #options: TransfersOptions;
  #underWay = 0;
  #done = 0;

  constructor(options: TransfersOptions) {
    this.#options = options;
  }

  /** How many were sent whole. */
  get done(): number {
    return this.#done;
  }

  /** The messages for a request that came to the verdict TRANSFER; undefined: let others go on first. */
  open(query: Uint8Array): Generator<Uint8Array | undefined, void> {
    const request = readRequest(query)!;
    const served = zoneAt(request, this.#options.view());
    if (served === undefined || this.#underWay >= MAX_TRANSFERS) return refusal(query, request);
    return this.#send(request, query, served);
  }

  *#send(request: Request, query: Uint8Array, served: ServedZone): Generator<Uint8Array | undefined, void> {
    const { log, state, services, maxUdpSize } = this.#options;
    this.#underWay++;
    try {
      // Serial and contents are of one moment.
      const soa = currentSoa(served, state());
      const snapshot = new RegistrySnapshot(isDynamic(served) ? services() : []);
      const contents = zoneContents(served, snapshot, new QueryDraw(systemRandom));
      yield* transferMessages(request, query, soa, contents, maxUdpSize());
      this.#done++;
      log.info({ zone: formatName(served.zone.apex), serial: soaSerial(soa.rdatas[0]!) }, 'zone sent');
    } finally {
      this.#underWay--;
    }
  }
}

/** It was a zone a moment ago, or there are too many transfers: the client tries again later. */
function* refusal(query: Uint8Array, { questionEnd }: Request): Generator<Uint8Array, void> {
  const reply = new Uint8Array(Math.max(questionEnd, HEADER_LENGTH));
  yield reply.subarray(0, writeServerFailure(query, questionEnd, reply));
}
