// cookies.ts -- DNS cookies as tests put and see them

import { EDNS_OPTION } from '../../src/dns/codes.ts';
import type { EdnsOption } from '../../src/dns/edns.ts';
import type { Message } from '../../src/dns/message.ts';
import { bytes, hexOf } from './wire.ts';

/** A secret as the configuration has it. */
export const COOKIE_SECRET = '000102030405060708090a0b0c0d0e0f';

/** The option of a cookie in hexadecimal. */
export function cookieOption(hex: string): EdnsOption {
  return { code: EDNS_OPTION.COOKIE, data: bytes(hex) };
}

/** The cookie of a reply in hexadecimal; undefined when it has none. Throws when it has several. */
export function cookieOf(reply: Message): string | undefined {
  const all = reply.edns?.options.filter(({ code }) => code === EDNS_OPTION.COOKIE) ?? [];
  if (all.length > 1) throw new Error('several cookies');
  return all[0] === undefined ? undefined : hexOf(all[0].data);
}
