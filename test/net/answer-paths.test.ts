// answer-paths.test.ts -- damaged and hostile messages get the same reply, or none, by a shard, by node:dgram, in process
//
// A short cut of `npm run ordeal -- fuzz`.

import { describe, it } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import { loadSocketCalls } from '../../src/net/socket-calls.ts';
import { AnswerPaths } from '../support/answer-paths.ts';
import { CORPUS_NAMES } from '../support/query-corpus.ts';
import { octets } from '../support/wire.ts';

const loaded = loadSocketCalls();
const unavailable = typeof loaded === 'string' ? `no shards here: ${loaded}` : false;
const MESSAGES = 6000;

describe('all paths', { skip: unavailable, timeout: 120_000 }, () => {
  it(`answer ${MESSAGES} damaged messages alike, and count them alike`, async (t) => {
    const paths = await AnswerPaths.open(t);
    await paths.fuzz(seededRandom(20_260_303), MESSAGES);
    paths.assertSameCounts();
  });

  it('answer messages of any length alike, up to what each of them reads', async (t) => {
    const paths = await AnswerPaths.open(t);
    const question = octets('0000 0100 0001 0000 0000 0001', CORPUS_NAMES[1], '0001 0001');
    const opt = '00 0029 04d0 00 00 0000';
    for (const length of [0, 1, 2, 3, 11, 12, 13, 4095, 4096, 4097, 9000, 65_507]) {
      await paths.send(new Uint8Array(length));
      await paths.send(new Uint8Array(length).fill(0xff));
      // A padding option that makes it so long (RFC 7830): in order, unless it is cut off.
      const rest = length - question.length - 15;
      if (rest < 0) continue;
      const option = octets('000c', rest >> 8, rest & 0xff, new Uint8Array(rest));
      await paths.send(octets(question, opt, option.length >> 8, option.length & 0xff, option));
    }
  });
});
