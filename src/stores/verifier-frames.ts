// verifier-frames.ts -- what the verifying child process and the server say to each other: frames on a pipe

import { Buffer } from 'node:buffer';
import type { ErrorDetail } from '../base/errors.ts';
import type { StoredMeta } from './lmdb-record.ts';

/** Kinds of frames: a JSON array of records, each `[key, revision, checksum, value]`; a Verdict. The last one holds. */
export const FRAME = { RECORDS: 1, VERDICT: 2 } as const;

/** What came of a verification. `meta` is null for a store that was never written. */
export type Verdict =
  | { readonly meta: StoredMeta | null }
  | { readonly error: { readonly code: string; readonly message: string; readonly details: readonly ErrorDetail[] } };

const HEADER = 5;

/** The octets in front of a frame: its kind, and its length in 32 bits. */
export function frameHeader(kind: number, length: number): Buffer {
  const header = Buffer.alloc(HEADER);
  header[0] = kind;
  header.writeUInt32BE(length, 1);
  return header;
}

/** Puts frames together from the chunks that a pipe gives. */
export class FrameReader {
  readonly #onFrame: (kind: number, body: Buffer) => void;
  #chunks: Buffer[] = [];
  #octets = 0;
  /** Octets of the header and the frame that are waited for. */
  #wanted = HEADER;

  constructor(onFrame: (kind: number, body: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** Take a chunk in; frames that it completes are handed on at once. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#octets += chunk.length;
    while (this.#octets >= this.#wanted) {
      const whole = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
      this.#chunks = [whole];
      this.#wanted = HEADER + whole.readUInt32BE(1);
      if (whole.length < this.#wanted) return;
      const rest = whole.subarray(this.#wanted);
      const body = whole.subarray(HEADER, this.#wanted);
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#octets = rest.length;
      this.#wanted = HEADER;
      this.#onFrame(whole[0]!, body);
    }
  }
}
