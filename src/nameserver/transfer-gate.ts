// transfer-gate.ts -- who gets a zone, and what a request for one comes to (AXFR, RFC 5936; IXFR, RFC 1995)

import type { IpPrefix } from '../base/ip.ts';
import { EXTENDED_ERROR, RCODE, TYPE } from '../dns/codes.ts';
import { soaSerial } from '../dns/rdata/basic.ts';
import type { Request } from '../dns/request.ts';
import { WireError } from '../dns/wire-error.ts';
import { WireReader } from '../dns/wire-reader.ts';
import { NetworkSet } from '../routing/network-set.ts';
import { type Answer, emptyAnswer, failure } from './answer.ts';
import type { Client } from './client.ts';
import type { Transport } from './query-counters.ts';
import { TRANSFER } from './verdict.ts';
import { currentSoa, type ServedZone, type View, type ViewState } from './view.ts';

/** What a request for a zone has to do with the rest. */
export interface TransferContext {
  readonly transport: Transport;
  readonly client: Client;
  readonly view: View;
  readonly state: ViewState;
}

export class TransferGate {
  readonly #allowed: NetworkSet;

  /** `to`: the networks that get zones; none: nobody. */
  constructor(to: readonly IpPrefix[]) {
    this.#allowed = new NetworkSet(to);
  }

  /** What a request of type AXFR or IXFR and class IN comes to. */
  see(request: Request, bytes: Uint8Array, context: TransferContext): Answer | typeof TRANSFER {
    const { transport, client, view, state } = context;
    if (!this.#allowed.has(client)) return failure(RCODE.REFUSED, PROHIBITED);
    const served = zoneAt(request, view);
    if (served === undefined) return failure(RCODE.NOTAUTH, NO_ZONE);
    if (!state.isLoaded) return failure(RCODE.SERVFAIL, NOT_READY);
    const isStream = transport === 'tcp' || transport === 'tls';
    if (request.question!.type === TYPE.IXFR) {
      const serial = ixfrSerial(request, bytes);
      if (serial === undefined) return failure(RCODE.FORMERR);
      // What has changed is not kept: whoever has as much, or more, gets the SOA, and over UDP that says how far off he
      // is (RFC 1995 sections 2 and 4).
      const soa = currentSoa(served, state);
      if (!isStream || !isOlder(serial, soaSerial(soa.rdatas[0]!))) {
        const answer = emptyAnswer();
        answer.answer.push(soa);
        return answer;
      }
    }
    return isStream ? TRANSFER : failure(RCODE.REFUSED, STREAM_ONLY);
  }
}

/** Is this a request for a whole zone, by its type? */
export function isTransfer(type: number): boolean {
  return type === TYPE.AXFR || type === TYPE.IXFR;
}

/** The zone whose apex is asked for. */
export function zoneAt({ question }: Request, view: View): ServedZone | undefined {
  const served = view.zoneOf(question!.name);
  // What is claimed without being served is nobody's to take over.
  return served?.zone.apex.length === question!.name.length && !served.apexOnly ? served : undefined;
}

/** Serials go round (RFC 1982 section 3.2); two that are half the way apart count as the client being behind. */
function isOlder(serial: number, than: number): boolean {
  return ((serial - than) | 0) < 0;
}

/** The serial that the client has, in the SOA behind the question (RFC 1995 section 3). */
function ixfrSerial({ questionEnd }: Request, bytes: Uint8Array): number | undefined {
  // NSCOUNT
  if (bytes[9] !== 1) return undefined;
  const reader = new WireReader(bytes, questionEnd);
  try {
    reader.name();
    if (reader.u16() !== TYPE.SOA) return undefined;
    reader.octets(2 + 4 + 2);
    reader.name();
    reader.name();
    return reader.u32();
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    return undefined;
  }
}

const PROHIBITED = { code: EXTENDED_ERROR.PROHIBITED, text: 'zone transfer is not allowed' };
const NO_ZONE = { code: EXTENDED_ERROR.NOT_AUTHORITATIVE, text: 'no zone begins here' };
const NOT_READY = { code: EXTENDED_ERROR.NOT_READY, text: 'the registry is not loaded yet' };
const STREAM_ONLY = { code: EXTENDED_ERROR.NOT_SUPPORTED, text: 'a zone is sent over TCP or TLS only' };
