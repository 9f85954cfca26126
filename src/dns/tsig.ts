// tsig.ts -- TSIG records (RFC 8945), as far as a server without keys needs them: to say that it knows none

import { CLASS, TYPE } from './codes.ts';
import type { Name } from './name.ts';
import { formErr, type WireReader } from './wire-reader.ts';
import type { WireWriter } from './wire-writer.ts';

/** The signature of a query: what a reply repeats of it. */
export interface Tsig {
  /** The key that it claims to be made with. */
  readonly key: Name;
  readonly algorithm: Name;
  /** When it was made, and by how much that may differ: 8 octets as they came. */
  readonly timing: Uint8Array;
  readonly originalId: number;
}

/** Extended rcode of a TSIG record: the key is not known (RFC 8945 section 3). */
const BADKEY = 17;
const TIMING_LENGTH = 8;
/** Behind the algorithm: timing, no MAC, the id, the error, no other data. */
const TAIL_LENGTH = TIMING_LENGTH + 2 + 2 + 2 + 2;

/** Read a TSIG record of `key` from behind its type. Throws WireError. */
export function readTsig(reader: WireReader, key: Name): Tsig {
  const recordClass = reader.u16();
  const ttl = reader.u32();
  const length = reader.u16();
  const end = reader.offset + length;
  if (recordClass !== CLASS.ANY || ttl !== 0) throw formErr('TSIG record of another class or with a TTL');
  const algorithm = reader.name(false);
  const timing = reader.octets(TIMING_LENGTH);
  reader.skip(reader.u16());
  const originalId = reader.u16();
  reader.u16();
  reader.skip(reader.u16());
  if (reader.offset !== end) throw formErr('TSIG record of another length than its own');
  return { key, algorithm, timing, originalId };
}

/** Write what goes with NOTAUTH when the key is not known: the record without a signature (RFC 8945 section 5.3.2). */
export function writeUnknownKey(writer: WireWriter, { key, algorithm, timing, originalId }: Tsig): void {
  writer.octets(key);
  writer.u16(TYPE.TSIG);
  writer.u16(CLASS.ANY);
  writer.u32(0);
  writer.u16(algorithm.length + TAIL_LENGTH);
  writer.octets(algorithm);
  writer.octets(timing);
  writer.u16(0);
  writer.u16(originalId);
  writer.u16(BADKEY);
  writer.u16(0);
}
