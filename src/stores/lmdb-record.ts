// lmdb-record.ts -- how one record lies in lmdb: checksum, revision, JSON text
//
// lmdb has no checksums of its own, so a flipped byte on disk would come back as a different registration. The checksum
// covers the key too: a value found under another key is as wrong as a damaged one.

import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';

const CHECKSUM_BYTES = 4;
const REVISION_BYTES = 6; // 2^48 revisions: 8,900 years at 1,000 a second
const HEADER_BYTES = CHECKSUM_BYTES + REVISION_BYTES;

/** A record as read from disk, its checksum verified. */
export interface DecodedRecord {
  readonly revision: number;
  readonly json: string;
  /** CRC-32 of key, revision and text. */
  readonly checksum: number;
}

/** The bytes to store under `key`. `json` is text already, so that it is made once. */
export function encodeRecord(key: Buffer, revision: number, json: string): { bytes: Buffer; checksum: number } {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + Buffer.byteLength(json));
  bytes.writeUIntBE(revision, CHECKSUM_BYTES, REVISION_BYTES);
  bytes.write(json, HEADER_BYTES);
  const checksum = checksumOf(key, bytes);
  bytes.writeUInt32BE(checksum, 0);
  return { bytes, checksum };
}

/** The record in `bytes`, or undefined when they are not what was once written under `key`. */
export function decodeRecord(key: Buffer, bytes: Buffer): DecodedRecord | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const checksum = bytes.readUInt32BE(0);
  if (checksumOf(key, bytes) !== checksum) return undefined;
  const revision = bytes.readUIntBE(CHECKSUM_BYTES, REVISION_BYTES);
  return { revision, json: bytes.toString('utf8', HEADER_BYTES), checksum };
}

function checksumOf(key: Buffer, bytes: Buffer): number {
  return crc32(bytes.subarray(CHECKSUM_BYTES), crc32(key));
}
