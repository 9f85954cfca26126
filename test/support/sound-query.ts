// sound-query.ts -- a second opinion on whether a message is a query in order, made without the server's own parser

const HEADER = 12;
const TYPE = { OPT: 41, TSIG: 250, IXFR: 251 };

/**
 * False for what must not be answered as a query: not a whole header, a response, another opcode, not one question,
 * records that break off, that overlap, or that no query may have, and octets behind the end. (A server may refuse more.)
 */
export function isSoundQuery(message: Uint8Array): boolean {
  if (message.length < HEADER) return false;
  const u16 = (at: number): number => (message[at]! << 8) | message[at + 1]!;
  const isQuery = (message[2]! & 0xf8) === 0;
  if (!isQuery || u16(4) !== 1 || u16(6) !== 0) return false;
  const nameEnd = endOfName(message, HEADER, false);
  if (nameEnd === undefined || nameEnd + 4 > message.length) return false;
  if (u16(8) > (u16(nameEnd) === TYPE.IXFR ? 1 : 0)) return false;
  let at: number | undefined = nameEnd + 4;
  let opts = 0;
  const records = u16(8) + u16(10);
  for (let i = 0; i < records; i++) {
    const start: number = at;
    at = endOfRecord(message, start);
    if (at === undefined) return false;
    const type = u16(endOfName(message, start, true)!);
    if (type === TYPE.OPT && (++opts > 1 || message[start] !== 0 || i < u16(8))) return false;
    if (type === TYPE.OPT && !areOptions(message.subarray(start + 11, at))) return false;
    if (type === TYPE.TSIG && i !== records - 1) return false;
  }
  return at === message.length;
}

function endOfRecord(message: Uint8Array, start: number): number | undefined {
  const at = endOfName(message, start, true);
  if (at === undefined || at + 10 > message.length) return undefined;
  const end = at + 10 + ((message[at + 8]! << 8) | message[at + 9]!);
  return end <= message.length ? end : undefined;
}

function areOptions(rdata: Uint8Array): boolean {
  let at = 0;
  while (at + 4 <= rdata.length) at += 4 + ((rdata[at + 2]! << 8) | rdata[at + 3]!);
  return at === rdata.length;
}

/** Where a name ends that begins at an offset; a pointer must lead back. */
function endOfName(message: Uint8Array, start: number, mayPoint: boolean): number | undefined {
  let end: number | undefined;
  let octets = 0;
  let limit = start;
  for (let at = start; ; ) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | (message[at + 1] ?? 0);
      if (!mayPoint || at + 1 >= message.length || target >= limit) return undefined;
      end ??= at + 2;
      limit = target;
      at = target;
      continue;
    }
    octets += length + 1;
    if (length > 63 || octets > 255) return undefined;
    at += length + 1;
    if (length === 0) return end ?? at;
  }
}
