// echo-shard.ts -- a shard for tests of the pool: answers with the query behind what it was last told

import { workerData } from 'node:worker_threads';
import { ShardLoop } from '../../src/net/shard-loop.ts';
import type { ShardStart } from '../../src/net/shard-pool.ts';
import { loadSocketCalls } from '../../src/net/socket-calls.ts';

/** What it can be told; whatever else ends it, as a bug would. */
export type EchoNews =
  | { readonly op: 'say'; readonly text: string }
  | { readonly op: 'nap'; readonly ms: number }
  | { readonly op: 'hang' };

const { control, port, number } = workerData as ShardStart;
const calls = loadSocketCalls();
if (typeof calls === 'string') throw new Error(calls);
let said = Buffer.alloc(0);

new ShardLoop({
  calls,
  control: new Int32Array(control),
  port,
  onBatch: () => {},
  onPortZero: () => {},
  onForward: () => 0,
  onNews: (news) => {
    const told = news as EchoNews;
    if (told.op === 'hang') for (;;);
    else if (told.op === 'nap') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, told.ms);
    else if (told.op === 'say') said = Buffer.from(`${number}${told.text}`);
    else throw new Error('told what no shard knows');
  },
  answer: (slot, length, out) => {
    out.set(said);
    out.set(slot.subarray(0, length), said.length);
    return said.length + length;
  },
}).run();
port.close();
