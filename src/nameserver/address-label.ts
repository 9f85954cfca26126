// address-label.ts -- addresses as labels: 10-0-0-7, 2001-db8-0-0-0-0-0-7 (contract section 2)

import type { IpAddress } from '../base/ip.ts';

/** The label of an address below `addr.D`: eight groups for IPv6, so that no label ever holds `--`. */
export function addressLabel(address: IpAddress): string {
  if (address.family === 4) return address.bytes.join('-');
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((address.bytes[i]! << 8) | address.bytes[i + 1]!).toString(16));
  return groups.join('-');
}
