// fuzz.ts -- damaged messages to the query handler, to a UDP shard and to node:dgram: all answer the same, and none dies

import { seededRandom } from '../../src/base/random.ts';
import { AnswerPaths } from '../support/answer-paths.ts';
import { type OrdealRow, type Scope, showProgress } from './ordeal-result.ts';

const SEEDS = [1, 2, 3, 4];
const MESSAGES_PER_SEED = 250_000;

/** Throws, with the message in hexadecimal, at the first reply that differs. */
export async function fuzz(scope: Scope): Promise<OrdealRow[]> {
  let done = 0;
  for (const seed of SEEDS) {
    const before = done;
    const paths = await AnswerPaths.open(scope);
    done += await paths.fuzz(seededRandom(seed), MESSAGES_PER_SEED, (sent) => {
      showProgress('fuzz', before + sent, SEEDS.length * MESSAGES_PER_SEED);
    });
    paths.assertSameCounts();
  }
  return [
    {
      what: `replies that differ between shard, node:dgram and query handler, of ${done} damaged messages`,
      measured: '0',
      promised: '0',
      isKept: true,
    },
  ];
}
