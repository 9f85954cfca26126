// client-subnet.ts -- the EDNS client subnet option (RFC 7871): for whom a resolver asks

import { type IpPrefix, ipFromBytes } from '../base/ip.ts';
import { EDNS_OPTION } from './codes.ts';
import type { EdnsOption } from './edns.ts';
import { formErr } from './wire-reader.ts';

/** What the option of a query says. */
export interface ClientSubnet {
  /** 4 or 16 octets, zero behind the prefix; undefined: the client does not want to be known (prefix length 0). */
  readonly address: Uint8Array | undefined;
  /** SOURCE PREFIX-LENGTH: leading bits of the address that are told. */
  readonly prefixLength: number;
  /** The option as it was sent, for the reply. */
  readonly sent: Uint8Array;
}

/** By FAMILY (IANA address family numbers). */
const ADDRESS_LENGTHS: ReadonlyMap<number, number> = new Map([
  [1, 4],
  [2, 16],
]);
const HEAD_LENGTH = 4;
const SCOPE_AT = 3;

/** Read the option of a query. Throws WireError FORMERR for what section 6 forbids. */
export function readClientSubnet(data: Uint8Array): ClientSubnet {
  if (data.length < HEAD_LENGTH) throw formErr('client subnet is too short');
  const family = (data[0]! << 8) | data[1]!;
  const prefixLength = data[2]!;
  if (data[SCOPE_AT] !== 0) throw formErr('client subnet of a query has a scope');
  const told = data.subarray(HEAD_LENGTH);
  if (told.length !== Math.ceil(prefixLength / 8)) throw formErr('client subnet has too few or too many octets');
  // Without an address the family says nothing; `dig +subnet=0` sends 0 for it.
  const length = ADDRESS_LENGTHS.get(family) ?? (family === 0 ? 0 : undefined);
  if (length === undefined || prefixLength > length * 8) throw formErr('client subnet of an unknown kind');
  const spare = told.length * 8 - prefixLength;
  if (spare > 0 && (told.at(-1)! & ((1 << spare) - 1)) !== 0) throw formErr('client subnet has bits behind its prefix');
  if (prefixLength === 0) return { address: undefined, prefixLength, sent: data };
  const address = new Uint8Array(length);
  address.set(told);
  return { address, prefixLength, sent: data };
}

/** The option for the reply: as it was sent, and how much of the address the answer holds for (section 7.2.1). */
export function clientSubnetReply({ sent, prefixLength }: ClientSubnet, isForClient: boolean): EdnsOption {
  const data = Uint8Array.from(sent);
  data[SCOPE_AT] = isForClient ? prefixLength : 0;
  return { code: EDNS_OPTION.CLIENT_SUBNET, data };
}

/** The option of a query for a network. */
export function clientSubnetQuery({ family, bytes, length }: IpPrefix): EdnsOption {
  const told = bytes.subarray(0, Math.ceil(length / 8));
  return { code: EDNS_OPTION.CLIENT_SUBNET, data: Uint8Array.of(0, family === 4 ? 1 : 2, length, 0, ...told) };
}

/** The option of a reply as `address/source prefix/scope prefix`, as dig writes it; undefined when it is malformed. */
export function formatClientSubnet(data: Uint8Array): string | undefined {
  const length = ADDRESS_LENGTHS.get((data[0]! << 8) | data[1]!);
  if (length === undefined || data.length < HEAD_LENGTH || data.length > HEAD_LENGTH + length) return undefined;
  const address = new Uint8Array(length);
  address.set(data.subarray(HEAD_LENGTH));
  return `${ipFromBytes(address).text}/${data[2]}/${data[SCOPE_AT]}`;
}
