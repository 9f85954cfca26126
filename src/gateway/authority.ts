// authority.ts -- `Host` and `:authority`: a name and a port, read once for each spelling that clients use

import { CodedError } from '../base/errors.ts';
import { parseIp } from '../base/ip.ts';

/** The server that a client believes to talk to. */
export interface Authority {
  /** As the client sent it; empty when it sent none. */
  readonly text: string;
  /** Lower case, without a trailing dot; an IPv6 address in canonical text without brackets. Empty: none. */
  readonly host: string;
  readonly port: number | undefined;
}

const MAX_LENGTH = 261;
/** Spellings are as many as clients like, so all are forgotten when there are so many. */
const MAX_KNOWN = 1000;
const known = new Map<string, Authority>();

/** Throws CodedError `bad_request` for what RFC 3986 section 3.2 does not allow, and for user names. */
export function readAuthority(text: string): Authority {
  const before = known.get(text);
  if (before !== undefined) return before;
  const authority = parse(text);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(text, authority);
  return authority;
}

/** A host of a route as it is compared: as `Authority.host`. */
export function canonicalHost(text: string): string {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  if (bare.includes(':')) return parseIp(bare)?.text ?? bare.toLowerCase();
  return bare.toLowerCase().replace(/\.$/, '');
}

function parse(text: string): Authority {
  if (text === '') return { text, host: '', port: undefined };
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::(\d{0,5}))?$/.exec(text);
  const port = match?.[2] === undefined || match[2] === '' ? undefined : Number(match[2]);
  if (match === null || text.length > MAX_LENGTH || (port !== undefined && port > 65535)) {
    throw new CodedError('bad_request', 'the Host is not a name and a port');
  }
  return { text, host: canonicalHost(match[1]!), port };
}
