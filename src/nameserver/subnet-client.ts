// subnet-client.ts -- for whom a resolver asks, where it is believed (RFC 7871)

import { type ClientSubnet, readClientSubnet } from '../dns/client-subnet.ts';
import { EDNS_OPTION } from '../dns/codes.ts';
import type { Request } from '../dns/request.ts';
import { WireError } from '../dns/wire-error.ts';
import { type Client, writeAddress } from './client.ts';
import type { View } from './view.ts';

const IPV4_AT_BITS = 96;

/** The client subnet of a query from `sender`; undefined without one, and when the sender is not believed. */
export function subnetOf({ edns }: Request, sender: Client, view: View): ClientSubnet | 'malformed' | undefined {
  const options = edns?.options.filter(({ code }) => code === EDNS_OPTION.CLIENT_SUBNET) ?? [];
  if (options.length === 0 || !view.believesSubnetOf(sender)) return undefined;
  if (options.length > 1) return 'malformed';
  try {
    return readClientSubnet(options[0]!.data);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    return 'malformed';
  }
}

/** The client that a subnet stands for; the sender itself when it is not told. */
export function clientOf({ address, prefixLength }: ClientSubnet, sender: Client): Client {
  if (address === undefined) return sender;
  const octets = new Uint8Array(16);
  writeAddress(address, octets);
  return { octets: () => octets, knownBits: prefixLength + (address.length === 4 ? IPV4_AT_BITS : 0) };
}
