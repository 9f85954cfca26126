// store-writer.ts -- a process that writes to an lmdb store from four writers until it is killed
//
// Run as `store-writer.ts FOLDER [COMMITS]`. Prints `open` and then `WRITER NUMBER` for each acknowledged commit, which
// is written only after the commit's promise resolved. `failed CODE UP` tells of a commit that was rejected.

import { writeSync } from 'node:fs';
import { CodedError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import { openLmdbStore } from '../../src/stores/lmdb.ts';

const WRITERS = 4;
const [, , folder = '', commits = 'Infinity'] = process.argv;

try {
  const store = await openLmdbStore({ path: folder, log: silentLogger });
  const { records } = await store.load();
  say('open');
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer, next(writer))));
  await store.close();

  /** Goes on where the killed one stopped. */
  function next(writer: number): number {
    const last = records.find(({ key }) => key === `last/${writer}`)?.value;
    return typeof last === 'number' ? last + 1 : 0;
  }

  async function write(writer: number, start: number): Promise<void> {
    for (let i = start; i < start + Number(commits); i++) {
      const pad = 'x'.repeat((i * 37) % 500);
      try {
        await store.commit([
          { key: `left/${writer}/${i}`, value: { i, pad } },
          { key: `last/${writer}`, value: i },
          { key: `right/${writer}/${i}`, value: { i, pad } },
        ]);
        say(`${writer} ${i}`);
      } catch (error) {
        say(`failed ${error instanceof CodedError ? error.code : error} ${store.isUp()}`);
      }
    }
  }
} catch (error) {
  say(`refused ${error instanceof CodedError ? error.code : error}`);
}

function say(line: string): void {
  try {
    writeSync(1, `${line}\n`);
  } catch (error) {
    // tsx leaves a standard output that does not wait, and whoever reads it may be slow.
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    say(line);
  }
}
