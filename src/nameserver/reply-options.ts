// reply-options.ts -- what the EDNS options of a query ask for, and the options that its reply has for them
//
// The client subnet is not among them: whether it is looked at depends on the zones (subnet-client.ts).

import { EDNS_OPTION } from '../dns/codes.ts';
import type { EdnsOption } from '../dns/edns.ts';
import type { Request } from '../dns/request.ts';
import type { Client } from './client.ts';
import { isCookieLength, type ServerCookies } from './cookies.ts';
import type { Transport } from './query-counters.ts';

/** What the options of one query come to. */
export interface ReplyOptions {
  readonly options: readonly EdnsOption[];
  /** The reply is to have a multiple of so many octets; 0: as many as it has. */
  readonly padBlock: number;
  /** An option has a form that it may not have: FORMERR. */
  readonly isMalformed: boolean;
}

/** What the server has to say in options. */
export interface OwnOptions {
  readonly cookies: ServerCookies;
  /** Its name, for who asks (RFC 5001). */
  readonly nsid: EdnsOption | undefined;
  readonly nowSeconds: number;
}

/** What replies on encrypted transports are padded to (RFC 8467 section 4.1). */
const PAD_BLOCK = 468;

/** For a query without options. */
export const NO_OPTIONS: ReplyOptions = { options: [], padBlock: 0, isMalformed: false };

/** The NSID option of a text; undefined when there is none. */
export function nsidOption(text: string | undefined): EdnsOption | undefined {
  return text === undefined ? undefined : { code: EDNS_OPTION.NSID, data: Buffer.from(text) };
}

/** Read the options of a query. Of several of a kind the first counts (RFC 7873 section 5.2); unknown ones do not. */
export function replyOptions(request: Request, transport: Transport, client: Client, own: OwnOptions): ReplyOptions {
  const { edns } = request;
  // What the options of another version mean is not known.
  if (edns === undefined || edns.version > 0 || edns.options.length === 0) return NO_OPTIONS;
  const seen = new Set<number>();
  const options: EdnsOption[] = [];
  let padBlock = 0;
  let isMalformed = false;
  for (const option of edns.options) {
    if (seen.has(option.code)) continue;
    seen.add(option.code);
    if (option.code === EDNS_OPTION.PADDING && isEncrypted(transport)) padBlock = PAD_BLOCK;
    const reply = replyTo(option, transport, client, own);
    if (reply === 'malformed') isMalformed = true;
    else if (reply !== undefined) options.push(reply);
  }
  return { options, padBlock, isMalformed };
}

function replyTo(
  { code, data }: EdnsOption,
  transport: Transport,
  client: Client,
  { cookies, nsid, nowSeconds }: OwnOptions,
): EdnsOption | 'malformed' | undefined {
  switch (code) {
    case EDNS_OPTION.COOKIE:
      if (!cookies.isOn) return undefined;
      if (!isCookieLength(data.length)) return 'malformed';
      cookies.take(data, 0, data.length, client, nowSeconds);
      return { code, data: cookies.cookie };
    case EDNS_OPTION.NSID:
      // What a query says in it means nothing (RFC 5001 section 2.1).
      return nsid;
    case EDNS_OPTION.KEEPALIVE:
      return keepalive(data, transport, client);
    default:
      return undefined;
  }
}

/** How long the connection may be idle (RFC 7828): on streams only, and clients may not state a time (section 3.2.1). */
function keepalive(data: Uint8Array, transport: Transport, client: Client): EdnsOption | 'malformed' | undefined {
  if (transport !== 'tcp' && transport !== 'tls') return undefined;
  if (data.length > 0) return 'malformed';
  const { keepaliveDeciseconds: time } = client;
  if (time === undefined) return undefined;
  return { code: EDNS_OPTION.KEEPALIVE, data: Uint8Array.of(time >>> 8, time) };
}

function isEncrypted(transport: Transport): boolean {
  return transport === 'tls' || transport === 'https';
}
