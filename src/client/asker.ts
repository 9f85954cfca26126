// asker.ts -- for whom an instance is picked, as routing sees it: this program, an address, or a key

import { parseIp } from '../base/ip.ts';
import { hashClient, saltOf } from '../routing/client-hash.ts';
import type { PickAsker } from '../routing/picker.ts';
import { RollcallError } from './rollcall-error.ts';

/**
 * Who has this address. With a key all that is the same for one client goes by that: sticky canaries, `hash` and
 * `subset`; the address still decides which routes concern it. Throws RollcallError `invalid`.
 */
export function askerOf(address: string, key?: string): PickAsker {
  const ip = parseIp(address);
  if (ip === undefined) throw new RollcallError('invalid', `'${address}' is not an IP address`);
  const octets = ip.family === 4 ? mapped(ip.bytes) : ip.bytes;
  const client = key === undefined ? hashClient(octets) : saltOf(key);
  return { octets: () => octets, knownBits: 128, client, isSticky: key !== undefined };
}

/** RFC 4291 section 2.5.5.2. */
function mapped(quad: Uint8Array): Uint8Array {
  const octets = new Uint8Array(16);
  octets.fill(0xff, 10, 12);
  octets.set(quad, 12);
  return octets;
}
