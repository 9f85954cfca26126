// lmdb-record.ts -- how one record lies in lmdb: checksum, revision, JSON text
//
// lmdb has no checksums of its own, so a flipped byte on disk would come back as a different registration. The checksum
// covers the key too: a value found under another key is as wrong as a damaged one.

import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';

const CHECKSUM_BYTES = 4;
const REVISION_BYTES = 6; // 2^48 revisions: 8,900 years at 1,000 a second
const HEADER_BYTES = CHECKSUM_BYTES + REVISION_BYTES;

/** The key of the record that tells of all others. */
export const META_KEY = Buffer.from('meta');

/** What must be true of all records together; written in the same transaction as they are. */
export interface StoreMeta {
  readonly revision: number;
  /** How many records there are. */
  readonly records: number;
  /** Sum of the records' checksums modulo 2^32: a page that lmdb lost takes whole records with it. */
  readonly digest: number;
}

/** The same as it is stored, with the version of the layout. */
export interface StoredMeta extends StoreMeta {
  readonly schema: number;
}

/** A record as read from disk, its checksum verified. */
interface DecodedRecord {
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
  const checksum = checksumOfRecord(key, bytes);
  if (checksum === undefined) return undefined;
  return { revision: revisionOfRecord(bytes), json: bytes.toString('utf8', HEADER_BYTES), checksum };
}

/** The checksum of a record, or undefined when it is not what was once written under `key`. */
export function checksumOfRecord(key: Buffer, bytes: Buffer): number | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const checksum = bytes.readUInt32BE(0);
  return checksumOf(key, bytes) === checksum ? checksum : undefined;
}

/** The revision that wrote a record. */
export function revisionOfRecord(bytes: Buffer): number {
  return bytes.readUIntBE(CHECKSUM_BYTES, REVISION_BYTES);
}

/** The JSON text of a record, in UTF-8. */
export function textOfRecord(bytes: Buffer): Buffer {
  return bytes.subarray(HEADER_BYTES);
}

/** The bytes of the record that tells of all others. */
export function encodeMeta(meta: StoreMeta, schema: number): Buffer {
  const { revision, records, digest } = meta;
  return encodeRecord(META_KEY, revision, JSON.stringify({ schema, revision, records, digest })).bytes;
}

/** What `encodeMeta` wrote, or undefined when it fails its checksum. */
export function decodeMeta(bytes: Buffer): StoredMeta | undefined {
  const decoded = decodeRecord(META_KEY, bytes);
  return decoded === undefined ? undefined : (JSON.parse(decoded.json) as StoredMeta);
}

function checksumOf(key: Buffer, bytes: Buffer): number {
  return crc32(bytes.subarray(CHECKSUM_BYTES), crc32(key));
}
