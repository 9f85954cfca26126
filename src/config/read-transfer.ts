// read-transfer.ts -- the `dns.transfer` section

import type { IpPrefix } from '../base/ip.ts';
import type { InputObject } from '../registry/input.ts';
import { readNetworks } from '../registry/input-forms.ts';

/** The networks that get zones whole; what is wrong goes to the findings of the input. */
export function readTransfer(input: InputObject): readonly IpPrefix[] {
  const networks = readNetworks(input, 'to') ?? [];
  for (const later of ['notify', 'tsigKeys']) input.unsupported(later);
  input.finish();
  return networks;
}
