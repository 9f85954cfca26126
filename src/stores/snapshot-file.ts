// snapshot-file.ts -- a snapshot of a store as lines of JSON: what to rebuild it from when its data file is damaged
//
// The first line tells the format, the version of the layout, and revision, count and digest of the records; each line
// after it is one record with the checksum that it has in the data file. So each line can be trusted by itself, and
// people can read it.

import { Buffer } from 'node:buffer';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeRecord, type StoredMeta } from './lmdb-record.ts';

/** The last snapshot of a store folder, and the one before it. */
export const SNAPSHOT_FILE = 'snapshot.ndjson';
export const PREVIOUS_SNAPSHOT_FILE = 'snapshot.previous.ndjson';

const FORMAT = 'rollcall-snapshot';
const FORMAT_VERSION = 1;

/** A record with what it was written by; `json` is its value. */
export interface SnapshotRecord {
  readonly key: string;
  readonly revision: number;
  readonly checksum: number;
  readonly json: string;
}

/** A snapshot as far as it can be read. */
export interface ReadSnapshot {
  /** Undefined when the first line is damaged. */
  readonly meta: StoredMeta | undefined;
  /** The lines whose checksum holds. */
  readonly records: readonly SnapshotRecord[];
  /** Numbers of the lines that are damaged. */
  readonly badLines: readonly number[];
  /** All records are there and no others. */
  readonly isWhole: boolean;
}

/**
 * Write a snapshot in place of the last, which is kept as the one before. Nothing that is there is touched until the
 * new one is on disk. `chunks` are asked for one after the other, with turns of the event loop in between. Rejects as
 * `chunks` does, or with the system's error.
 */
export async function writeSnapshot(
  folder: string,
  meta: StoredMeta,
  chunks: AsyncIterable<readonly SnapshotRecord[]>,
): Promise<{ octets: number }> {
  const draft = join(folder, `${SNAPSHOT_FILE}.draft`);
  let octets = 0;
  const handle = await open(draft, 'w', 0o600);
  try {
    const write = async (text: string): Promise<void> => {
      const { bytesWritten } = await handle.write(text);
      octets += bytesWritten;
      if (bytesWritten < Buffer.byteLength(text)) throw new Error('the snapshot could not be written whole');
    };
    const { schema, revision, records, digest } = meta;
    await write(`${JSON.stringify({ format: FORMAT, version: FORMAT_VERSION, schema, revision, records, digest })}\n`);
    for await (const chunk of chunks) await write(chunk.map(toLine).join(''));
    await handle.sync();
  } catch (error) {
    await handle.close();
    await rm(draft, { force: true });
    throw error;
  }
  await handle.close();
  const path = join(folder, SNAPSHOT_FILE);
  await rename(path, join(folder, PREVIOUS_SNAPSHOT_FILE)).catch(ignoreAbsent);
  await rename(draft, path);
  await syncFolder(folder);
  return { octets };
}

/** What a snapshot file holds; undefined when there is none. Rejects with the system's error. */
export async function readSnapshot(path: string): Promise<ReadSnapshot | undefined> {
  let octets: Buffer;
  try {
    octets = await readFile(path);
  } catch (error) {
    ignoreAbsent(error);
    return undefined;
  }
  const records: SnapshotRecord[] = [];
  const badLines: number[] = [];
  let meta: StoredMeta | undefined;
  let digest = 0;
  let number = 0;
  for (let at = 0; at < octets.length; ) {
    const end = octets.indexOf(0x0a, at);
    const line = octets.toString('utf8', at, end < 0 ? octets.length : end);
    at = end < 0 ? octets.length : end + 1;
    number += 1;
    if (number === 1) {
      meta = readHeader(line);
      if (meta === undefined) badLines.push(1);
      continue;
    }
    const record = readLine(line);
    if (record === undefined) badLines.push(number);
    else {
      records.push(record);
      digest = (digest + record.checksum) >>> 0;
    }
  }
  const isWhole = meta !== undefined && badLines.length === 0 && records.length === meta.records;
  return { meta, records, badLines, isWhole: isWhole && digest === meta?.digest };
}

/** The revision of the snapshot in a folder; 0 when there is none that can be read. */
export async function snapshotRevision(folder: string): Promise<number> {
  try {
    const handle = await open(join(folder, SNAPSHOT_FILE));
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(1024), 0, 1024, 0);
      return readHeader(buffer.toString('utf8', 0, bytesRead).split('\n')[0] ?? '')?.revision ?? 0;
    } finally {
      await handle.close();
    }
  } catch {
    return 0;
  }
}

/** Make the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder, and does not need it.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function toLine({ key, revision, checksum, json }: SnapshotRecord): string {
  return `{"key":${JSON.stringify(key)},"revision":${revision},"checksum":${checksum},"value":${json}}\n`;
}

function readLine(line: string): SnapshotRecord | undefined {
  const parsed = parse(line);
  const { key, revision, checksum } = parsed ?? {};
  if (typeof key !== 'string' || !isCount(revision)) return undefined;
  const json = JSON.stringify(parsed?.value);
  if (json === undefined || encodeRecord(Buffer.from(key, 'utf8'), revision, json).checksum !== checksum)
    return undefined;
  return { key, revision, checksum, json };
}

function readHeader(line: string): StoredMeta | undefined {
  const { format, version, schema, revision, records, digest } = parse(line) ?? {};
  if (format !== FORMAT || version !== FORMAT_VERSION) return undefined;
  if (!isCount(schema) || !isCount(revision) || !isCount(records) || !isCount(digest)) return undefined;
  return { schema, revision, records, digest };
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 48;
}

function ignoreAbsent(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}
