// etcd-keys.ts -- where a store keeps what in etcd
//
//   <prefix>/v1/<stored key>          a record; its value is JSON, its revision etcd's mod_revision
//   <prefix>/v1-writers/<writer id>   the last commit of one process: {"commit": "<writer id>-<number>", "at": "<time>"}
//
// All of it lies in one range, so that one watch shows it in order. `v1` is the version of this layout: what begins
// with `v1` and goes on differently (`v10`) is somebody else's.

import { Buffer } from 'node:buffer';

/** A key of the layout taken apart. */
export type EtcdKey =
  | { readonly kind: 'record'; readonly key: string }
  | { readonly kind: 'writer'; readonly writer: string };

/** The layout under one prefix, such as `/rollcall`, which does not end with a slash. */
export class EtcdKeys {
  /** Everything of ours is in [first, end). */
  readonly first: Buffer;
  readonly end: Buffer;
  /** The markers of all writers are in [firstWriter, endWriters). */
  readonly firstWriter: Buffer;
  readonly endWriters: Buffer;
  readonly #records: string;
  readonly #writers: string;

  constructor(prefix: string) {
    this.#records = `${prefix}/v1/`;
    this.#writers = `${prefix}/v1-writers/`;
    this.first = Buffer.from(this.#writers);
    // '/' + 1 is '0'.
    this.end = Buffer.from(`${prefix}/v10`);
    this.firstWriter = this.first;
    this.endWriters = Buffer.from(`${prefix}/v1-writers0`);
  }

  /** Where a record is. */
  record(key: string): Buffer {
    return Buffer.from(this.#records + key, 'utf8');
  }

  /** Where a writer marks its commits. */
  writer(id: string): Buffer {
    return Buffer.from(this.#writers + id, 'utf8');
  }

  /** What a key of the range is; undefined for those of a later version. */
  read(raw: Buffer): EtcdKey | undefined {
    const text = raw.toString('utf8');
    if (text.startsWith(this.#records)) return { kind: 'record', key: text.slice(this.#records.length) };
    if (text.startsWith(this.#writers)) return { kind: 'writer', writer: text.slice(this.#writers.length) };
    return undefined;
  }
}
