// probe-address.ts -- which addresses a probe may connect to
//
// Whoever may register a check may make the server connect somewhere, so the networks where that does harm (cloud
// metadata on link-local, multicast) are refused unless allowed. The judgement is made on addresses, never on
// spellings: callers resolve first and connect to the very address that was judged.

import { anyPrefixContains, type IpAddress, type IpPrefix, ipFromBytes, parseNetwork } from '../base/ip.ts';

/** Networks by permission; `allow` wins over `deny`, and what is in neither is allowed. */
export interface ProbeNetworks {
  readonly allow: readonly IpPrefix[];
  readonly deny: readonly IpPrefix[];
}

/** Nothing beyond the default denials: link-local, multicast and unspecified addresses. */
export const DEFAULT_PROBE_NETWORKS: ProbeNetworks = {
  allow: [],
  deny: ['link-local', 'multicast', 'unspecified'].flatMap((name) => parseNetwork(name)!),
};

/** May a probe connect to `address`? An IPv6 address that carries an IPv4 one is judged by both. */
export function isProbeAllowed(address: IpAddress, networks: ProbeNetworks): boolean {
  const judged = [address, ...carriedIpv4(address)];
  if (judged.some((each) => anyPrefixContains(networks.allow, each))) return true;
  return !judged.some((each) => anyPrefixContains(networks.deny, each));
}

/**
 * The IPv4 addresses inside a NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380), IPv4-translated (RFC 2765)
 * or IPv4-compatible (RFC 4291 2.5.5.1) address.
 */
function carriedIpv4({ family, bytes }: IpAddress): readonly IpAddress[] {
  if (family === 4) return [];
  if (startsWith(bytes, SIX_TO_FOUR)) return [ipFromBytes(bytes.slice(2, 6))];
  if (startsWith(bytes, TEREDO))
    return [ipFromBytes(bytes.slice(4, 8)), ipFromBytes(bytes.slice(12).map((each) => ~each))];
  // In the prefix for local use the address may stand at the end, or where a prefix of 48 bits has it.
  if (startsWith(bytes, LOCAL_NAT64)) {
    const inside = Uint8Array.of(bytes[6]!, bytes[7]!, bytes[9]!, bytes[10]!);
    return [ipFromBytes(bytes.slice(12)), ipFromBytes(inside)];
  }
  if (startsWith(bytes, NAT64) || startsWith(bytes, TRANSLATED)) return [ipFromBytes(bytes.slice(12))];
  // Of ::/96, `::` and `::1` are no IPv4 addresses; neither is anything else in ::0.0.0.0/104.
  return startsWith(bytes, COMPATIBLE) && bytes[12] !== 0 ? [ipFromBytes(bytes.slice(12))] : [];
}

const SIX_TO_FOUR = [0x20, 0x02];
const TEREDO = [0x20, 0x01, 0, 0];
const NAT64 = [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
const LOCAL_NAT64 = [0x00, 0x64, 0xff, 0x9b, 0, 1];
const TRANSLATED = [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0];
const COMPATIBLE = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((octet, i) => bytes[i] === octet);
}
