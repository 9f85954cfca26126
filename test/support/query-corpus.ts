// query-corpus.ts -- seeded queries for one small world, sound, damaged and hostile, and those that once went wrong
//
// The same corpus is put to the query handler in process, to a UDP shard and to node:dgram, so that no path can differ.

import { readdirSync, readFileSync } from 'node:fs';
import type { Random } from '../../src/base/random.ts';
import { DEFAULT_QUERY_SETTINGS, type QuerySettings } from '../../src/nameserver/query-settings.ts';
import { COOKIE_SECRET } from './cookies.ts';
import { brokenMessage } from './hostile-traffic.ts';
import { NameServer } from './name-server.ts';
import { bytes, octets } from './wire.ts';

const CRASHES = new URL('../dns/crashes/', import.meta.url);

export const CORPUS_ZONE = `
$ORIGIN example.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
* TXT "wild"
c1 CNAME c2
c2 CNAME web.service.local.
cut NS ns.cut
ns.cut A 192.0.2.2
`;

/** Names of that world, in wire form. */
export const CORPUS_NAMES = [
  '00',
  '02 6e73 07 6578616d706c65 04 74657374 00',
  '02 6331 07 6578616d706c65 04 74657374 00',
  '01 78 03 637574 07 6578616d706c65 04 74657374 00',
  '03 776562 07 73657276696365 05 6c6f63616c 00',
  '04 5f776562 04 5f746370 07 73657276696365 05 6c6f63616c 00',
  '02 7631 03 776562 07 73657276696365 05 6c6f63616c 00',
  '08 31302d302d302d31 04 61646472 07 73657276696365 05 6c6f63616c 00',
  '05 5f68747470 04 5f746370 03 776562 07 73657276696365 05 6c6f63616c 00',
] as const;

const TYPES = ['0001', '001c', '0021', '0010', '0006', '00ff', '00fb', '00fc', '0029', '002b', 'ff00'];
const TAILS = [
  { count: 0, octets: '' },
  { count: 1, octets: '00 0029 04d0 00 00 8000 0000' },
  { count: 1, octets: '00 0029 0000 00 01 0000 0000' },
  { count: 1, octets: '00 0029 1000 00 00 0000 000c 000a 0008 0102030405060708' },
  {
    count: 2,
    octets:
      '00 0029 1000 00 00 0000 0000 01 61 00 00fa 00ff 00000000 0013 00 000000000001 012c 0002 abcd 0001 0000 0000',
  },
  { count: 1, octets: '01 61 00 00fa 00ff 00000000 0013 00 000000000001 012c 0002 abcd 0001 0000 0000' },
  { count: 1, octets: '00 0029 1000 00 00 0000 001c 000a 0018 0102030405060708 01000000 00000000 1122334455667788' },
  {
    count: 1,
    octets:
      '00 0029 04d0 00 00 8000 0025 0003 0000 000c 0002 0000 000b 0000 0008 0007 0001 18 00 c00002 000a 0008 0102030405060708',
  },
  { count: 1, octets: 'c00c 0001 0001 00000000 0004 0a000001' },
];

/** So that options are answered. */
export const CORPUS_SETTINGS: QuerySettings = {
  ...DEFAULT_QUERY_SETTINGS,
  cookieSecrets: [COOKIE_SECRET],
  nsid: 'corpus',
};

/** The world that the corpus asks about: a zone, and a service of 40 instances. Every one opened answers the same. */
export async function openCorpusServer(): Promise<NameServer> {
  const server = await NameServer.open({ zones: [CORPUS_ZONE], settings: CORPUS_SETTINGS });
  await server.registerMany('web', 40, { tags: ['v1'], ports: { http: 80 }, meta: { k: 'v' } });
  return server;
}

/** A query in order. */
export function soundQuery(random: Random): Uint8Array {
  const tail = pick(random, TAILS);
  const id = Uint8Array.of(random.below(256), random.below(256));
  const counts = Uint8Array.of(0, 1, 0, 0, 0, 0, 0, tail.count);
  return octets(id, '0100', counts, pick(random, CORPUS_NAMES), pick(random, TYPES), '0001', tail.octets);
}

/** A query damaged up to three times. */
export function damagedQuery(random: Random): Uint8Array {
  let query = soundQuery(random);
  for (let times = random.below(4); times > 0; times--) query = damage(query, random);
  return query;
}

/** Every message that once went wrong, here or elsewhere, by the name of its file. */
export function keptCrashes(): [file: string, message: Uint8Array][] {
  const files = readdirSync(CRASHES).filter((file) => file.endsWith('.hex'));
  return files.map((file) => [file, bytes(readFileSync(new URL(file, CRASHES), 'utf8'))]);
}

/** All of it: the crashes, as they are and as queries, then `count` messages of every kind, none above 4,096 octets. */
export function* queryCorpus(random: Random, count: number): Generator<Uint8Array> {
  for (const [, message] of keptCrashes()) {
    yield message;
    // Most are responses, which nobody looks into.
    if (message.length > 2) yield octets(message.subarray(0, 2), message[2]! & 0x7f, message.subarray(3));
  }
  for (let i = 0; i < count; i++) yield i % 4 === 0 ? brokenMessage(random) : damagedQuery(random);
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)]!;
}

/** One damage: bits, octets, counts, pointers, lengths, cuts, insertions, repeats. */
function damage(query: Uint8Array, random: Random): Uint8Array {
  const at = random.below(Math.max(1, query.length));
  const copy = new Uint8Array(query);
  switch (random.below(10)) {
    case 0:
      copy[at] = copy[at]! ^ (1 << random.below(8));
      return copy;
    case 1:
      copy[at] = random.below(256);
      return copy;
    case 2:
      return copy.slice(0, at);
    case 3:
      return octets(
        copy.slice(0, at),
        Uint8Array.from({ length: random.below(20) }, () => random.below(256)),
        copy.slice(at),
      );
    case 4:
      copy[4 + random.below(8)] = pick(random, [0, 1, 2, 255]);
      return copy;
    case 5:
      copy.set([0xc0 | random.below(4), random.below(256)].slice(0, copy.length - at), at);
      return copy;
    case 6:
      return octets(copy, copy.slice(12));
    case 7:
      return octets(copy.slice(0, at), copy.slice(at + 1 + random.below(6)));
    case 8:
      copy[2] = random.below(256);
      return copy;
    default:
      return octets(
        copy.slice(0, 12),
        Uint8Array.from({ length: random.below(300) }, () => random.below(256)),
      );
  }
}
