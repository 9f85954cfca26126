// reply-lifetime.ts -- how long an HTTP cache may keep a DNS reply (RFC 8484 section 5.1)

import { RCODE, TYPE } from '../dns/codes.ts';
import { FLAG, HEADER_LENGTH, rcodeOf } from '../dns/header.ts';
import { MAX_TTL_SECONDS } from '../dns/rrset.ts';
import { WireError } from '../dns/wire-error.ts';
import { WireReader } from '../dns/wire-reader.ts';

/**
 * In seconds: the smallest TTL of the answer section, and of what a SOA record in the authority section says of names
 * and types that do not exist (RFC 2308 section 5). Undefined: it is not to be kept, being an error, cut short, a
 * referral, or negative without a SOA record.
 */
export function replyLifetime(reply: Uint8Array): number | undefined {
  try {
    return read(reply);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    return undefined;
  }
}

function read(reply: Uint8Array): number | undefined {
  const reader = new WireReader(reply, 2);
  const flags = reader.u16();
  const rcode = rcodeOf(flags);
  if ((rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) || (flags & FLAG.TC) !== 0) return undefined;
  const questions = reader.u16();
  const answers = reader.u16();
  const authorities = reader.u16();
  reader.offset = HEADER_LENGTH;
  for (let i = 0; i < questions; i++) {
    reader.name();
    reader.skip(4);
  }
  let least: number | undefined;
  for (let i = 0; i < answers + authorities; i++) {
    reader.name();
    const type = reader.u16();
    reader.skip(2);
    const ttlSeconds = ttlOf(reader.u32());
    const length = reader.u16();
    const end = reader.offset + length;
    reader.skip(length);
    if (i < answers) least = Math.min(least ?? ttlSeconds, ttlSeconds);
    else if (type === TYPE.SOA && length >= 4) {
      reader.offset = end - 4;
      const negativeSeconds = Math.min(ttlSeconds, ttlOf(reader.u32()));
      least = Math.min(least ?? negativeSeconds, negativeSeconds);
    }
  }
  return least;
}

/** With the top bit set it counts as zero (RFC 2181 section 8). */
function ttlOf(stated: number): number {
  return stated > MAX_TTL_SECONDS ? 0 : stated;
}
