// private-address.ts -- addresses that a name of the public DNS has no business to have (DNS rebinding)

import { anyPrefixContains, ipFromBytes, parseNetwork } from '../base/ip.ts';

const PRIVATE = ['loopback', 'private', 'link-local', 'unspecified', '100.64.0.0/10'].flatMap(
  (network) => parseNetwork(network) ?? [],
);

/** Is that the RDATA of an address inside a private network? IPv4-mapped addresses count as what they map. */
export function isPrivateAddress(rdata: Uint8Array): boolean {
  return (rdata.length === 4 || rdata.length === 16) && anyPrefixContains(PRIVATE, ipFromBytes(rdata));
}
