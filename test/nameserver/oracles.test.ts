// oracles.test.ts -- NSD and Knot serve the same zone files and are asked the same questions
//
// Compared are rcode, AA, the answer and authority sections, and the additional section of referrals: sections as sets,
// names without case. What is left out, and why:
// - ANY: RFC 8482 leaves everybody a choice, and the three choose differently.
// - Additional records of answers: optional, and each server picks its own.
// - The authority section of answers that are whole: NS records there are optional (NSD is told to leave them out).
// - Whether an alias is followed into another zone of the same server: RFC 1034 section 4.3.2 step 3a says to go back to
//   step 1, where the zone is chosen anew; Rollcall does, Knot stays in the zone it is in.
// - Repeats of one record in an answer of theirs (`withoutRepeats`).

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { formatRcode, formatType, parseType, TYPE } from '../../src/dns/codes.ts';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { formatName, isWithin, type Name, parentName, parseName, prependLabels } from '../../src/dns/name.ts';
import type { ResourceRecord } from '../../src/dns/rrset.ts';
import { nodesOf } from '../../src/zone/zone.ts';
import { freePort } from '../support/free-port.ts';
import { NameServer, texts, zoneFromText } from '../support/name-server.ts';
import { requireTools, spawnServer } from '../support/tools.ts';

const FIXTURES = join(dirname(fileURLToPath(import.meta.url)), 'fixtures');
const ZONES = [
  { apex: 'nasty.test', file: join(FIXTURES, 'nasty.zone') },
  { apex: 'both.nasty.test', file: join(FIXTURES, 'both.zone') },
];
const TYPES =
  'A NS CNAME SOA PTR HINFO MX TXT AAAA SRV NAPTR DS SSHFP TLSA SVCB HTTPS URI CAA RP AFSDB TYPE65280 TYPE999';
const QUESTIONS = 6000;
const PARENT = parseName('nasty.test.');
const CHILD = parseName('both.nasty.test.');

interface Question {
  readonly name: Name;
  readonly type: number;
  readonly edns: 'none' | 'plain' | 'do';
}

/** Names of the zone, above, below and beside them, with every type sooner or later. */
function makeQuestions(random: Random): Question[] {
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)]!;
  const zones = ZONES.map(({ file }) => zoneFromText(readFileSync(file, 'utf8')));
  const names = zones.flatMap((zone) => [...nodesOf(zone)].map(({ name }) => name));
  const labels = [
    'x',
    '*',
    'a',
    'ns',
    'here',
    'wild',
    'cut',
    'UPPER',
    '_tcp',
    'sp ace',
    'a.b',
    '\xff',
    'www',
    'zzz',
    '0',
  ];
  const types = TYPES.split(' ').map((text) => parseType(text)!);
  const vary = (name: Name): Name => {
    switch (random.below(6)) {
      case 0:
        return name.length > parseName('nasty.test.').length ? parentName(name) : name;
      case 1:
        return prependLabels([pick(labels)], name);
      case 2:
        return prependLabels([pick(labels), pick(labels)], name);
      case 3:
        return prependLabels([pick(labels)], parentName(name).length > 11 ? parentName(name) : name);
      case 4:
        return swapCase(name, random);
      default:
        return name;
    }
  };
  const all: Question[] = [];
  for (const name of names) for (const type of types) all.push({ name, type, edns: pick(['none', 'plain', 'do']) });
  while (all.length < QUESTIONS)
    all.push({ name: vary(pick(names)), type: pick(types), edns: pick(['none', 'plain', 'do']) });
  return all;
}

function swapCase(name: Name, random: Random): Name {
  const isLetter = (octet: number) => (octet | 0x20) >= 0x61 && (octet | 0x20) <= 0x7a;
  return name.map((octet) => (isLetter(octet) && random.next() < 0.5 ? octet ^ 0x20 : octet)) as Name;
}

function encode({ name, type, edns }: Question, id: number): Uint8Array {
  const opt = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: edns === 'do', options: [] };
  return encodeMessage(queryMessage(id, { name, type, class: 1 }, edns === 'none' ? undefined : opt));
}

/** Ask all over one TCP connection; replies by id. */
async function askOverTcp(port: number, queries: readonly Uint8Array[]): Promise<Map<number, Message>> {
  const socket = connect(port, '127.0.0.1');
  const replies = new Map<number, Message>();
  let pending = Buffer.alloc(0);
  for (const query of queries)
    socket.write(Buffer.concat([Uint8Array.of(query.length >> 8, query.length & 255), query]));
  socket.setTimeout(10_000, () => socket.destroy(new Error('no reply for 10 s')));
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk as Buffer]);
    let at = 0;
    while (pending.length - at >= 2 && pending.length - at >= 2 + pending.readUInt16BE(at)) {
      const end = at + 2 + pending.readUInt16BE(at);
      const reply = decodeMessage(pending.subarray(at + 2, end));
      replies.set(reply.id, reply);
      at = end;
    }
    pending = pending.subarray(at);
    if (replies.size === queries.length) break;
  }
  return replies;
}

/** What must be the same, as text. */
function essence(reply: Message): object {
  const isReferral = reply.authorities.some(({ type }) => type === TYPE.NS);
  const isWhole = reply.answers.length > 0 && !isReferral && reply.authorities.every(({ type }) => type !== TYPE.SOA);
  return {
    rcode: formatRcode(reply.rcode),
    aa: (reply.flags & FLAG.AA) !== 0,
    tc: (reply.flags & FLAG.TC) !== 0,
    edns: reply.edns === undefined ? 'none' : reply.edns.dnssecOk ? 'do' : 'plain',
    answer: asSet(reply.answers),
    authority: isWhole ? [] : asSet(reply.authorities),
    additional: isReferral ? asSet(reply.additionals) : [],
  };
}

/** NSD gives the alias twice when a wildcard leads to the very name that was asked. */
function withoutRepeats(reply: Message): Message {
  const seen = texts(reply.answers);
  return { ...reply, answers: reply.answers.filter((_, index) => seen.indexOf(seen[index]!) === index) };
}

function asSet(records: readonly ResourceRecord[]): string[] {
  // Letter case of names differs with the compression of each server.
  return texts(records)
    .map((text) => text.toLowerCase())
    .sort();
}

async function compare(t: TestContext, port: number): Promise<void> {
  const server = await NameServer.open({
    zones: ZONES.map(({ file }) => readFileSync(file, 'utf8')),
    domains: [],
    negativeTtlSeconds: 86_400,
  });
  const questions = makeQuestions(seededRandom(1034));
  const queries = questions.map(encode);
  const theirs = await askOverTcp(port, queries);
  assert.equal(theirs.size, questions.length);
  const differences: string[] = [];
  const rcodes = new Map<string, number>();
  for (const [id, { name, type, edns }] of questions.entries()) {
    const ours = decodeMessage(server.respond(queries[id]!, 'tcp')!);
    const [expected, got] = [essence(withoutRepeats(theirs.get(id)!)), essence(ours)];
    const kind = formatRcode(ours.rcode);
    rcodes.set(kind, (rcodes.get(kind) ?? 0) + 1);
    if (JSON.stringify(expected) === JSON.stringify(got) || isKnownDifference(theirs.get(id)!, ours)) continue;
    differences.push(
      `${formatName(name)} ${formatType(type)} ${edns}\n  theirs ${JSON.stringify(expected)}\n  ours   ${JSON.stringify(got)}`,
    );
  }
  t.diagnostic(`${questions.length} questions: ${JSON.stringify(Object.fromEntries(rcodes))}`);
  assert.equal(differences.length, 0, `${differences.length} differences\n${differences.slice(0, 12).join('\n')}`);
  assert.ok((rcodes.get('NXDOMAIN') ?? 0) > 500 && (rcodes.get('NOERROR') ?? 0) > 2000);
}

/** Both begin alike with an alias that leads from one of the zones into the other, where they stop. */
function isKnownDifference(theirs: Message, ours: Message): boolean {
  const zoneOf = (name: Name) => (isWithin(name, CHILD) ? 'child' : isWithin(name, PARENT) ? 'parent' : 'none');
  const last = theirs.answers.at(-1);
  const [theirChain, ourChain] = [asSet(theirs.answers), asSet(ours.answers)];
  return (
    last?.type === TYPE.CNAME &&
    theirs.authorities.length === 0 &&
    zoneOf(last.rdata as Name) !== 'none' &&
    zoneOf(last.rdata as Name) !== zoneOf(last.name) &&
    theirChain.every((record) => ourChain.includes(record))
  );
}

function scratchFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-oracle-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function isUp(port: number): Promise<boolean> {
  const query = encode({ name: parseName('nasty.test.'), type: TYPE.SOA, edns: 'none' }, 1);
  const replies = await askOverTcp(port, [query]).catch(() => new Map<number, Message>());
  return replies.get(1)?.answers.length === 1;
}

describe('the same zones, the same questions', () => {
  it('NSD gives the same answers', async (t) => {
    if (!(await requireTools(t, { nsd: 'nsd' }))) return;
    const folder = scratchFolder(t);
    const port = await freePort();
    const config = join(folder, 'nsd.conf');
    writeFileSync(
      config,
      `server:
  ip-address: 127.0.0.1
  port: ${port}
  server-count: 1
  username: ""
  zonesdir: "${folder}"
  database: ""
  pidfile: ""
  xfrdfile: "${folder}/xfrd.state"
  xfrdir: "${folder}"
  zonelistfile: "${folder}/zone.list"
  minimal-responses: yes
  rrl-ratelimit: 0
remote-control:
  control-enable: no
${ZONES.map(({ apex, file }) => `zone:\n  name: ${apex}\n  zonefile: "${file}"\n`).join('')}`,
    );
    await spawnServer(t, 'nsd', ['-d', '-c', config], { cwd: folder, ready: () => isUp(port) });
    await compare(t, port);
  });

  it('Knot gives the same answers', async (t) => {
    if (!(await requireTools(t, { knotd: 'knot' }))) return;
    const folder = scratchFolder(t);
    const port = await freePort();
    const config = join(folder, 'knot.conf');
    mkdirSync(join(folder, 'run'));
    writeFileSync(
      config,
      `server:
  rundir: ${folder}/run
  listen: 127.0.0.1@${port}
  tcp-max-clients: 10
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: ${folder}
log:
  - target: stderr
    any: warning
zone:
${ZONES.map(({ apex, file }) => `  - domain: ${apex}\n    file: ${file}\n    storage: ${folder}\n    journal-content: none\n`).join('')}`,
    );
    await spawnServer(t, 'knotd', ['-c', config], { cwd: folder, ready: () => isUp(port) });
    await compare(t, port);
  });
});
