// full-disk.ts -- a process whose store lies on a disk that fills up and is emptied again
//
// Run as `full-disk.ts FOLDER` with FOLDER on a small disk. Prints one line of JSON with what it saw.

import { rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../src/base/log.ts';
import { openLmdbStore } from '../../src/stores/lmdb.ts';

const [, , folder = ''] = process.argv;
const ballast = join(folder, '../ballast');
const store = await openLmdbStore({ path: folder, log: silentLogger });
const commit = (key: string): Promise<number | string> =>
  store.commit([{ key, value: key }]).catch((error: { code?: string }) => error.code ?? String(error));

const before = await commit('before');
writeFileSync(ballast, Buffer.alloc(12 * 2 ** 20, 1));
const during = [await commit('during'), await commit('during')];
const { isUp, records } = { isUp: store.isUp(), records: (await store.load()).records.length };
rmSync(ballast);
// Nobody writes: it has to notice by itself.
for (let tries = 0; !store.isUp() && tries < 1000; tries++) await sleep(20);
const recovered = store.isUp();
const after = await commit('after');
await store.close();
writeSync(1, `${JSON.stringify({ before, during, isUp, records, recovered, after })}\n`);
