// verifier.ts -- the program of the child process that verifies a store before the server opens it
//
// Run as `verifier FOLDER records|check|recheck`. It writes frames to standard output (verifier-frames.ts): the records, and a
// verdict. At the end lmdb itself opens the file here: should that end in SIGBUS or SIGSEGV after all, it ends this
// process and not the server.

import { Buffer } from 'node:buffer';
import { writeSync } from 'node:fs';
import { CodedError } from '../base/errors.ts';
import { revisionOfRecord, type StoredMeta, textOfRecord } from './lmdb-record.ts';
import { type AuditedRecord, auditError, auditStore } from './store-audit.ts';
import { FRAME, frameHeader, type Verdict } from './verifier-frames.ts';

/** Enough to keep the pipe busy, little enough that the server parses one while the next is read. */
const FRAME_OCTETS = 256 * 1024;
/** Held back so that reading does not wait for a server that is still loading its modules; beyond, it is sent at once. */
const HELD_OCTETS = 64 * 1024 * 1024;

const CLOSE = Buffer.from(']');

const FULL_PIPE_MS = 1;
const WAITING = new Int32Array(new SharedArrayBuffer(4));

/** Frames that wait to be sent, and the parts of the one being made. */
const waiting = { frames: [] as Buffer[], octets: 0 };
let parts: Buffer[] = [];
let partOctets = 0;

const [, , folder = '', mode = 'records'] = process.argv;
let verdict = audit();
// Told before lmdb opens the file, so that the reason is known even when that is our end.
if ('error' in verdict) send(FRAME.VERDICT, Buffer.from(JSON.stringify(verdict)));
else sendWaiting();
verdict = await tryLmdb(verdict);
send(FRAME.VERDICT, Buffer.from(JSON.stringify(verdict)));

function audit(): Verdict {
  try {
    const meta = auditStore(folder, mode === 'records' ? addRecord : () => {}, { afterFailure: mode === 'recheck' });
    endFrame();
    return { meta: meta ?? null };
  } catch (thrown) {
    return toVerdict(auditError(folder, thrown));
  }
}

/** Let lmdb have a look: does it find the same, and does anybody else have the file open? */
async function tryLmdb(found: Verdict): Promise<Verdict> {
  if ('meta' in found && found.meta === null) return found; // nothing was ever written, and lmdb would want to
  const { LmdbFile } = await import('./lmdb-file.ts');
  let file: InstanceType<typeof LmdbFile> | undefined;
  try {
    file = new LmdbFile(folder, { readOnly: true });
    if (file.hasReaders()) {
      return toVerdict(new CodedError('store_locked', `store folder ${folder} is in use by another process`));
    }
    if ('error' in found) return found;
    requireSame(found.meta, file.readMeta());
    return found;
  } catch (thrown) {
    return 'error' in found ? found : toVerdict(auditError(folder, thrown));
  } finally {
    await file?.close();
  }
}

function requireSame(audited: StoredMeta | null, read: StoredMeta): void {
  if (audited?.revision === read.revision && audited.digest === read.digest) return;
  throw new CodedError('store_corrupt', `store folder ${folder}: lmdb reads another state than the file holds`);
}

function toVerdict({ code, message, details }: CodedError): Verdict {
  return { error: { code, message, details } };
}

function addRecord({ key, value, checksum }: AuditedRecord): void {
  const head = Buffer.from(`,[${JSON.stringify(key.toString('utf8'))},${revisionOfRecord(value)},${checksum},`);
  const text = textOfRecord(value);
  // Each page is read into a buffer of its own, so `text` stays as it is until the frame is made.
  parts.push(head, text, CLOSE);
  partOctets += head.length + text.length + 1;
  if (partOctets >= FRAME_OCTETS) endFrame();
}

/** A frame is a JSON array of records, each `[key, revision, checksum, value]`. */
function endFrame(): void {
  if (parts.length === 0) return;
  const frame = Buffer.concat([...parts, CLOSE]);
  frame[0] = 0x5b; // [ in place of the first comma
  waiting.frames.push(frame);
  waiting.octets += frame.length;
  parts = [];
  partOctets = 0;
  if (waiting.octets > HELD_OCTETS) sendWaiting();
}

function sendWaiting(): void {
  for (const frame of waiting.frames) send(FRAME.RECORDS, frame);
  waiting.frames = [];
  waiting.octets = 0;
}

function send(kind: number, body: Buffer): void {
  for (const octets of [frameHeader(kind, body.length), body]) {
    for (let sent = 0; sent < octets.length; ) sent += writeSome(octets, sent);
  }
}

/** A loader (tsx) may have made standard output one that does not wait: then we do. */
function writeSome(octets: Buffer, from: number): number {
  try {
    return writeSync(1, octets, from);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    Atomics.wait(WAITING, 0, 0, FULL_PIPE_MS);
    return 0;
  }
}
