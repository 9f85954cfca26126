// wire.ts -- octets as tests write them

import { parseRecord } from '../../src/dns/presentation.ts';
import type { ResourceRecord } from '../../src/dns/rrset.ts';

/** Octets from hexadecimal; white space and everything from `;` to the end of a line are skipped. */
export function bytes(hex: string): Uint8Array {
  const digits = hex.replace(/;.*/g, '').replace(/\s+/g, '');
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) throw new Error(`not hexadecimal: ${hex}`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

/** Lower-case hexadecimal. */
export function hexOf(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}

/** Records from master-file text, one a line. */
export function records(text: string): ResourceRecord[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => parseRecord(line.trim()));
}

/** Octets put behind one another; a number is one octet, a string is hexadecimal. */
export function octets(...parts: (Uint8Array | number | string)[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      parts.map((part) =>
        typeof part === 'number' ? Uint8Array.of(part) : typeof part === 'string' ? bytes(part) : part,
      ),
    ),
  );
}
