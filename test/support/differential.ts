// differential.ts -- our server and Knot as its secondary, the same random questions to both, and what differs

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../../src/base/ip.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { formatRcode, formatType, TYPE } from '../../src/dns/codes.ts';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, type Message } from '../../src/dns/message.ts';
import { formatLabel, formatName, type Name, parseName } from '../../src/dns/name.ts';
import type { ResourceRecord } from '../../src/dns/rrset.ts';
import { readMasterFile } from '../../src/zone/master-file.ts';
import { udpLimit } from '../conformance/protocol.ts';
import { PROTOCOL_ZONE } from '../conformance/protocol-zone.ts';
import { type BuiltServer, startBuiltServer } from './built-server.ts';
import { comparableRecord, type Exchanged, KNOWN_DIFFERENCES, type World } from './known-differences.ts';
import { OTHER_SERVERS } from './other-server.ts';
import { queryOctets } from './query-text.ts';
import { QuestionBatch } from './question-batch.ts';
import { type AskedQuestion, randomQuestions } from './random-questions.ts';
import { askOnce } from './raw-questions.ts';
import { run } from './tools.ts';

interface Scope {
  after(cleanup: () => unknown): void;
}

const FIXTURES = new URL('../nameserver/fixtures/', import.meta.url);
/** Children in front of their parents. */
const APEXES = ['service.local', 'both.nasty.test', 'nasty.test', 'conform.test', '10.in-addr.arpa'];
const SERVICE_ZONE = `$ORIGIN service.local.
$TTL 60
@ SOA ns hostmaster 1 60 60 86400 5
  NS ns
ns A 127.0.0.1
shop CNAME svc-1
far CNAME www.nasty.test.
round CNAME round
*.wild A 192.0.2.1
*.wild TXT "wild"
*.alias CNAME svc-2
cut NS ns.cut
ns.cut A 192.0.2.2
signed NS ns.cut
signed DS 60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A
big TXT ${Array.from({ length: 8 }, () => `"${'x'.repeat(230)}"`).join(' ')}
_fixed._tcp SRV 0 5 80 svc-1
_fixed._tcp SRV 0 0 81 ns
svc-1 TXT "hides what the registry says"
`;
const SERVICES = 24;
const BATCH = 64;
/** The highest ids are those of support/raw-questions.ts. */
const IDS = 65_000;
/** `rise` and `fall` of 1: what is reported holds at once. */
const HEARTBEAT = { type: 'heartbeat', id: 'beat', interval: '1h', rise: 1, fall: 1 };
/** One of so many is asked over TCP as well. */
const TCP_SHARE = 20;

/** What came of it. */
export interface DifferentialResult {
  readonly questions: number;
  readonly overTcp: number;
  /** By rcode of ours, over UDP. */
  readonly rcodes: Readonly<Record<string, number>>;
  /** How often each known difference was met, by its title. */
  readonly known: Readonly<Record<string, number>>;
  /** Those that nobody has explained, to be read. */
  readonly unexplained: readonly string[];
  /** Octets of the largest UDP replies of ours: with EDNS, without. */
  readonly largest: { readonly edns: number; readonly plain: number };
  /** Replies to ANY over UDP: the most octets for one octet of the query. */
  readonly anyFactor: number;
}

/** Both servers, holding the same. */
export class Differential {
  readonly #ours: Endpoint;
  readonly #theirs: Endpoint;
  readonly #records: readonly ResourceRecord[];
  readonly #world: World;
  readonly #scope: Scope;

  private constructor(
    scope: Scope,
    { ours, theirs }: { ours: Endpoint; theirs: Endpoint },
    records: readonly ResourceRecord[],
    failing: readonly Name[],
  ) {
    this.#scope = scope;
    this.#ours = ours;
    this.#theirs = theirs;
    this.#records = records;
    this.#world = {
      apexes: APEXES.map((apex) => parseName(`${apex}.`)),
      records: new Set(records.flatMap(textsOf)),
      failing,
    };
  }

  /** Needs the programs `knotd` and `dig`. `workers` is dns.workers: 0 has UDP answered on the main thread. */
  static async open(scope: Scope, workers: number | 'auto' = 'auto'): Promise<Differential> {
    const { server, failing } = await startServer(scope, workers);
    const knot = OTHER_SERVERS.find(({ title }) => title === 'Knot')!;
    const theirs = await knot.start(
      scope,
      APEXES.map((apex) => ({ apex, primary: server.dns })),
    );
    for (const apex of APEXES) await untilSameSerial(apex, server.dns, theirs);
    const records: ResourceRecord[] = [];
    for (const apex of APEXES) records.push(...(await zoneOf(server.dns, apex)));
    return new Differential(scope, { ours: server.dns, theirs }, records, failing);
  }

  /** Put so many questions to both. */
  async run(count: number, seed: number, onProgress: (done: number) => void = () => {}): Promise<DifferentialResult> {
    const [ours, theirs] = [await QuestionBatch.open(this.#ours), await QuestionBatch.open(this.#theirs)];
    this.#scope.after(() => [ours, theirs].forEach((each) => void each.close()));
    const random = seededRandom(seed);
    const tally = new Tally(this.#world);
    const questions = randomQuestions(random, this.#records, this.#world.failing, count);
    for (let at = 0; at < questions.length; at += BATCH) {
      const batch = questions.slice(at, at + BATCH);
      const queries = batch.map(({ text }, i) => queryOctets(text, ((at + i) % IDS) + 1));
      const [mine, others] = await Promise.all([ours.overUdp(queries), theirs.overUdp(queries)]);
      const again = batch.flatMap((question, i) => {
        const isWhole = tally.udp({ question, query: queries[i]!, ours: mine[i]!, theirs: others[i]! });
        return isWhole && random.below(TCP_SHARE) > 0 ? [] : [i];
      });
      if (again.length > 0) {
        const repeated = again.map((i) => queries[i]!);
        const [mineWhole, othersWhole] = await Promise.all([ours.overTcp(repeated), theirs.overTcp(repeated)]);
        for (const [j, i] of again.entries()) {
          tally.tcp({ question: batch[i]!, query: queries[i]!, ours: mineWhole[j]!, theirs: othersWhole[j]! });
        }
      }
      onProgress(Math.min(at + BATCH, questions.length));
    }
    return tally.result();
  }
}

/** Counts, and keeps what differs. */
class Tally {
  readonly #world: World;
  readonly #rcodes: Record<string, number> = {};
  readonly #known: Record<string, number> = {};
  readonly #unexplained: string[] = [];
  #questions = 0;
  #overTcp = 0;
  readonly #largest = { edns: 0, plain: 0 };
  #anyFactor = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** False when one of them was cut, so that only TCP tells. */
  udp(exchanged: { question: AskedQuestion; query: Buffer; ours: Buffer; theirs: Buffer }): boolean {
    this.#questions++;
    const { query, ours: octets } = exchanged;
    const { ours, theirs } = decoded(exchanged);
    const kind = formatRcode(ours.rcode);
    this.#rcodes[kind] = (this.#rcodes[kind] ?? 0) + 1;
    const size = ours.edns === undefined ? 'plain' : 'edns';
    this.#largest[size] = Math.max(this.#largest[size], octets.length);
    if (octets.length > udpLimit(query)) this.#unexplained.push(`${exchanged.question.text}: ${octets.length} octets`);
    if (exchanged.question.type === TYPE.ANY) this.#anyFactor = Math.max(this.#anyFactor, octets.length / query.length);
    const isCut = ((ours.flags | theirs.flags) & FLAG.TC) !== 0;
    this.#compare({ question: exchanged.question, ours, theirs, transport: 'udp' });
    return !isCut;
  }

  tcp(exchanged: { question: AskedQuestion; query: Buffer; ours: Buffer; theirs: Buffer }): void {
    this.#overTcp++;
    this.#compare({ question: exchanged.question, ...decoded(exchanged), transport: 'tcp' });
  }

  result(): DifferentialResult {
    return {
      questions: this.#questions,
      overTcp: this.#overTcp,
      rcodes: this.#rcodes,
      known: this.#known,
      unexplained: this.#unexplained,
      largest: this.#largest,
      anyFactor: this.#anyFactor,
    };
  }

  #compare(exchanged: Exchanged): void {
    const [mine, other] = [essence(exchanged.ours), essence(exchanged.theirs)];
    if (JSON.stringify(mine) === JSON.stringify(other)) return;
    const known = KNOWN_DIFFERENCES.find((each) => each.isIt(exchanged, this.#world));
    if (known !== undefined) {
      this.#known[known.title] = (this.#known[known.title] ?? 0) + 1;
      return;
    }
    const shown = (each: object) => JSON.stringify(each);
    this.#unexplained.push(
      `${exchanged.question.text} (${exchanged.transport})\n  theirs ${shown(other)}\n  ours   ${shown(mine)}`,
    );
  }
}

/** All that is compared: the rcode, the flags, what EDNS says but for its options, and sections as sets. */
function essence(reply: Message): object {
  const { questions, edns } = reply;
  return {
    rcode: formatRcode(reply.rcode),
    flags: (reply.flags & 0x7ff0).toString(16),
    // Letter case counts: it is to come back as it went.
    question: questions.map(({ name, type, class: its }) => `${formatName(name)} ${formatType(type)} ${its}`),
    edns: edns === undefined ? 'none' : `${edns.version} ${edns.dnssecOk} ${edns.udpSize}`,
    answer: asSet(reply.answers),
    authority: asSet(reply.authorities),
    additional: asSet(reply.additionals),
  };
}

function asSet(records: readonly ResourceRecord[]): string[] {
  return records.map(comparableRecord).sort();
}

/** A record as it is, that of a wildcard also without its owner, and that of a zone's top as in negative answers. */
function textsOf(record: ResourceRecord): string[] {
  const text = comparableRecord(record);
  return [text, ...(text.startsWith('*.') ? [text.slice(text.indexOf(' '))] : [])];
}

function decoded({ ours, theirs }: { ours: Buffer; theirs: Buffer }): { ours: Message; theirs: Message } {
  return { ours: decodeMessage(ours), theirs: decodeMessage(theirs) };
}

async function startServer(
  scope: Scope,
  workers: number | 'auto',
): Promise<{ server: BuiltServer; failing: readonly Name[] }> {
  const server = await startBuiltServer(scope, {
    config: {
      dns: { workers, transfer: { to: ['127.0.0.1'] }, reverse: ['10.0.0.0/8'], maxAnswers: 1000, negativeTtl: '1d' },
      store: { kind: 'memory' },
    },
    zones: {
      'service.local.zone': SERVICE_ZONE,
      'conform.test.zone': PROTOCOL_ZONE,
      'nasty.test.zone': readFileSync(new URL('nasty.zone', FIXTURES), 'utf8'),
      'both.nasty.test.zone': readFileSync(new URL('both.zone', FIXTURES), 'utf8'),
    },
  });
  const random = seededRandom(7);
  const failing: Name[] = [];
  for (let i = 1; i <= SERVICES; i++) failing.push(...(await registerService(server, random, i)));
  return { server, failing };
}

/** A service with 1 to 12 instances of every kind, some of them failing: the result is the names that these make. */
async function registerService(server: BuiltServer, random: Random, i: number): Promise<Name[]> {
  const service = `svc-${i}`;
  const failing: Name[] = [];
  const count = 1 + random.below(i === SERVICES ? 60 : 12);
  for (let j = 0; j < count; j++) {
    const id = `i-${i}-${j}`;
    const instance: RandomInstance = {
      address: pick(random, [`10.${i}.0.${j + 1}`, `10.${i}.0.${j + 1}`, `2001:db8::${i}:${j}`]),
      port: 8000 + j,
      weight: random.below(4) + 1,
      tags: ['v1', 'v2', 'eu'].filter(() => random.below(2) === 0),
      ports: random.below(2) === 0 ? { http: 80, stats: { port: 8125, proto: 'udp' } } : {},
      meta: random.below(2) === 0 ? { alpn: 'h2', 'odd key': 'a "quote"', instanceName: `No. ${j} (x)` } : {},
    };
    const isFailing = j > 0 && random.below(6) === 0;
    await server.register(service, id, { ...instance, ...(isFailing ? { checks: [HEARTBEAT] } : {}) });
    if (!isFailing) continue;
    assert.equal((await server.api('PUT', `/v1/instances/${id}/heartbeat`, { status: 'critical' })).status, 200);
    failing.push(...namesOf(service, id, instance));
  }
  return failing;
}

interface RandomInstance {
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly tags: readonly string[];
  readonly ports: Readonly<Record<string, unknown>>;
  readonly meta: Readonly<Record<string, string>>;
}

/** Every name of an instance in docs/dns-names.md. */
function namesOf(service: string, id: string, { address, tags, ports, meta }: RandomInstance): Name[] {
  const types = [`_${service}._tcp`, ...('http' in ports ? ['_http._tcp', '_stats._udp'] : [])];
  const label = meta.instanceName === undefined ? id : formatLabel(Buffer.from(meta.instanceName));
  // As many groups as there are in an address of either family.
  const groups = address.includes(':') ? address.replace('::', ':0:0:0:0:') : address;
  const names = [
    ...types.map((type) => `${label}.${type}`),
    ...types.slice(1).map((type) => `${type}.${service}`),
    ...tags.flatMap((tag) => types.map((type) => `_${tag}._sub.${type}`)),
    ...tags.flatMap((tag) => [`${tag}.${service}`, `_${service}._${tag}`]),
    `${groups.replaceAll(/[.:]/g, '-')}.addr`,
  ].map((name) => `${name}.service.local.`);
  if (!address.includes(':')) names.push(`${address.split('.').reverse().join('.')}.in-addr.arpa.`);
  return names.map((name) => parseName(name));
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)]!;
}

async function zoneOf({ port }: Endpoint, apex: string): Promise<readonly ResourceRecord[]> {
  const args = ['@127.0.0.1', '-p', `${port}`, '+noall', '+answer', '+onesoa', apex, 'AXFR'];
  const { stdout } = await run('dig', args);
  const { records } = readMasterFile({ file: apex, text: stdout });
  assert.ok(records.length > 1, `there is no zone ${apex}: ${stdout}`);
  return records;
}

async function untilSameSerial(apex: string, ours: Endpoint, theirs: Endpoint): Promise<void> {
  const query = queryOctets(`${apex}. SOA`, 1);
  const deadlineMs = performance.now() + 30_000;
  for (;;) {
    const [mine, other] = [await askOnce(ours, query), await askOnce(theirs, query)];
    assert.ok(mine, 'our server is there');
    const soa = (octets: Buffer | undefined) => octets && asSet(decodeMessage(octets).answers).join();
    if (soa(mine) === soa(other)) return;
    assert.ok(performance.now() < deadlineMs, `${apex}: ${soa(mine)} and ${soa(other)}`);
    await sleep(100);
  }
}
