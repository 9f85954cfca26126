// amplification.test.ts -- no UDP reply is larger than it may be, whatever the query looks like

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import { TYPE } from '../../src/dns/codes.ts';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage } from '../../src/dns/message.ts';
import { readRequest } from '../../src/dns/request.ts';
import { openCorpusServer, queryCorpus } from '../support/query-corpus.ts';
import { hexOf } from '../support/wire.ts';

const MESSAGES = 30_000;
/** Compression apart, a reply that says no more than the query has its length, an OPT record with options, and a SOA. */
const MAX_ANY_FACTOR = 4;

test('no UDP reply has more than 1,232 octets, none more than 512 without EDNS, and ANY gets little', async () => {
  const server = await openCorpusServer();
  let replies = 0;
  let anyReplies = 0;
  for (const message of queryCorpus(seededRandom(8482), MESSAGES)) {
    const octets = server.respond(message);
    if (octets === undefined) continue;
    replies++;
    const shown = () => `${octets.length} octets for ${hexOf(message)}`;
    const reply = decodeMessage(octets);
    assert.equal(hexOf(octets.subarray(0, 2)), hexOf(message.subarray(0, 2)), 'the id is that of the query');
    assert.equal(message[2]! & (FLAG.QR >> 8), 0, 'no reply to a reply');
    const size = readRequest(message)?.edns?.udpSize ?? 0;
    const limit = reply.edns === undefined ? 512 : Math.min(1232, Math.max(512, size));
    assert.ok(octets.length <= limit, shown());
    if (reply.questions[0]?.type !== TYPE.ANY) continue;
    anyReplies++;
    assert.ok(octets.length <= MAX_ANY_FACTOR * message.length, shown());
  }
  assert.deepEqual(server.failures, []);
  assert.ok(replies > MESSAGES / 4 && anyReplies > 100, `${replies} replies, ${anyReplies} to ANY`);
});
