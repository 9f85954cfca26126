// answer.ts -- what is to be said, before anything about messages: an rcode and three sections of RRsets

import { RCODE } from '../dns/codes.ts';
import type { EdnsOption } from '../dns/edns.ts';
import type { RRset } from '../dns/rrset.ts';

/** An extended error to go with an answer (RFC 8914). */
export interface ExtendedError {
  readonly code: number;
  readonly text: string;
}

/** Filled in by the solver, written out by response.ts. */
export interface Answer {
  rcode: number;
  authoritative: boolean;
  readonly answer: RRset[];
  readonly authority: RRset[];
  /** Droppable when short of room. */
  readonly additional: RRset[];
  /** How many sets at the beginning of `additional` are glue that a referral cannot do without (RFC 9471). */
  glueCount: number;
  extendedError: ExtendedError | undefined;
  /** A wildcard answered for a name that nobody has. */
  isMadeUp: boolean;
  /** Everything was left out, for another reason than want of room: the client is to ask again over TCP. */
  readonly isCut: boolean;
  /** How far the answer holds, for a resolver that said for whom it asks (RFC 7871). */
  clientSubnet: EdnsOption | undefined;
  /** The service whose instances were answered, for the counters. */
  service: string | undefined;
}

/** An authoritative, empty NOERROR answer. */
export function emptyAnswer(): Answer {
  return {
    rcode: RCODE.NOERROR,
    authoritative: true,
    answer: [],
    authority: [],
    additional: [],
    glueCount: 0,
    extendedError: undefined,
    isMadeUp: false,
    isCut: false,
    clientSubnet: undefined,
    service: undefined,
  };
}

/** An answer of which nothing is told but that there is one. */
export function cutAnswer(rcode: number, authoritative: boolean): Answer {
  return { ...emptyAnswer(), rcode, authoritative, isCut: true };
}

/** An answer that is nothing but an rcode. */
export function failure(rcode: number, extendedError?: ExtendedError): Answer {
  return { ...emptyAnswer(), rcode, authoritative: false, extendedError };
}
