// header.ts -- the twelve octets in front of every message (RFC 1035 section 4.1.1)

/** Length of the header. */
export const HEADER_LENGTH = 12;

/** Bits of the flags word. */
export const FLAG = {
  QR: 0x8000,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  AD: 0x0020,
  CD: 0x0010,
} as const;

/** The opcode in a flags word. */
export function opcodeOf(flags: number): number {
  return (flags >>> 11) & 0xf;
}

/** The low four bits of the rcode in a flags word. */
export function rcodeOf(flags: number): number {
  return flags & 0xf;
}
