// store-check.ts -- a store verified by a child process, its records taken over as they come
//
// lmdb trusts its file, and a damaged one can end the process that opens it. So a child reads it first
// (verifier.ts), and this process parses what the child has verified: nothing is read twice.

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CodedError } from '../base/errors.ts';
import type { StoreRecord } from '../registry/store.ts';
import type { StoredMeta } from './lmdb-record.ts';
import { corrupt } from './store-audit.ts';
import { FRAME, FrameReader, type Verdict } from './verifier-frames.ts';

/** Everything that is in a verified store. */
export interface CheckedStore {
  /** Undefined for a store that was made and never written. */
  readonly meta: StoredMeta | undefined;
  /** In order of key; empty when only a check was asked for. */
  readonly records: readonly StoreRecord[];
  /** Those of the records, in the same order. */
  readonly checksums: readonly number[];
}

/** A child that says nothing for so long is stuck. */
const SILENCE_MS = 120_000;
const MAX_STDERR = 4096;

/** Signals that a damaged file ends a process with. */
const DAMAGE_SIGNALS: readonly unknown[] = ['SIGBUS', 'SIGSEGV', 'SIGABRT', 'SIGFPE', 'SIGILL'];

const SCRIPT = new URL(import.meta.url.endsWith('.ts') ? './verifier.ts' : './verifier.js', import.meta.url);

/**
 * Verify the store in `folder`, which this process has locked. Rejects with CodedError `store_corrupt`, `store_locked`
 * or `store_unavailable`; `abort` ends the child early. `check` tells no records; `recheck` is for after a failed write
 * (AuditOptions.afterFailure).
 */
export function checkStore(
  folder: string,
  mode: 'records' | 'check' | 'recheck',
  abort?: AbortSignal,
): Promise<CheckedStore> {
  return new Promise((resolve, reject) => {
    const records: StoreRecord[] = [];
    const checksums: number[] = [];
    let verdict: Verdict | undefined;
    let complaint = '';
    let failure: unknown;
    const child = startChild(folder, mode);
    const giveUp = (reason: unknown): void => {
      failure ??= reason;
      child.kill('SIGKILL');
    };
    const silence = setTimeout(() => giveUp(corrupt(folder, 'its verification does not come to an end')), SILENCE_MS);
    const onAbort = (): void => giveUp(new CodedError('store_closed', 'the verification of the store was given up'));
    if (abort?.aborted) onAbort();
    abort?.addEventListener('abort', onAbort);
    const frames = new FrameReader((kind, body) => {
      if (kind === FRAME.VERDICT) verdict = JSON.parse(body.toString('utf8')) as Verdict;
      else takeRecords(body, records, checksums);
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      silence.refresh();
      if (failure !== undefined) return;
      try {
        frames.push(chunk);
      } catch (thrown) {
        giveUp(thrown);
      }
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = `${complaint}${text}`.slice(-MAX_STDERR);
    });
    child.on('error', (error) => {
      failure ??= new CodedError('store_unavailable', `cannot verify store folder ${folder}: ${error.message}`);
    });
    child.on('close', (code, signal) => {
      clearTimeout(silence);
      abort?.removeEventListener('abort', onAbort);
      const refusal = failure ?? refusalOf(folder, verdict, { code, signal, complaint });
      if (refusal !== undefined) reject(refusal);
      else resolve({ meta: (verdict as { meta: StoredMeta | null }).meta ?? undefined, records, checksums });
    });
  });
}

function startChild(folder: string, mode: string): ChildProcess {
  const args = [...loaderFlags(), fileURLToPath(SCRIPT), folder, mode];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
}

/** From TypeScript sources (in tests) the child needs tsx as this process does. */
function loaderFlags(): string[] {
  return SCRIPT.pathname.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [];
}

function takeRecords(body: Buffer, records: StoreRecord[], checksums: number[]): void {
  const rows = JSON.parse(body.toString('utf8')) as [key: string, revision: number, checksum: number, value: unknown][];
  for (const [key, revision, checksum, value] of rows) {
    records.push({ key, value, revision });
    checksums.push(checksum);
  }
}

interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly complaint: string;
}

/** Why a store is refused after its child has ended; undefined when all is well. */
function refusalOf(folder: string, verdict: Verdict | undefined, end: ChildEnd): CodedError | undefined {
  if (verdict !== undefined && 'error' in verdict) {
    const { code, message, details } = verdict.error;
    return new CodedError(code, message, details);
  }
  if (DAMAGE_SIGNALS.includes(end.signal)) {
    return corrupt(folder, `the process that verified it was ended by ${end.signal}`);
  }
  if (verdict !== undefined && end.code === 0) return undefined;
  const how = end.signal === null ? `ended with code ${end.code}` : `was ended by ${end.signal}`;
  const said = /^\w*Error: .*$/m.exec(end.complaint)?.[0] ?? '';
  return new CodedError(
    'store_unavailable',
    `store folder ${folder}: the process that verifies it ${how}${said === '' ? '' : `: ${said}`}`,
  );
}
