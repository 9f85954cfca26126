// hot-answers.test.ts -- the hot path says exactly what the general path says, whatever is registered and asked

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parsePrefix } from '../../src/base/ip.ts';
import { seededRandom } from '../../src/base/random.ts';
import { EDNS_OPTION, parseType, TYPE } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { soaSerial } from '../../src/dns/rdata/basic.ts';
import { buildView } from '../../src/nameserver/build-view.ts';
import { AddressClient } from '../../src/nameserver/client.ts';
import { ServerCookies } from '../../src/nameserver/cookies.ts';
import { Cursors, createCursorMemory } from '../../src/nameserver/cursors.ts';
import { type Freshness, Freshnesses } from '../../src/nameserver/freshness.ts';
import { HotAnswers } from '../../src/nameserver/hot-answers.ts';
import type { HotEntry } from '../../src/nameserver/hot-entry.ts';
import type { RegistryNews } from '../../src/nameserver/news.ts';
import { PlainQuery } from '../../src/nameserver/plain-query.ts';
import { QueryHandler } from '../../src/nameserver/query.ts';
import { QueryCounters } from '../../src/nameserver/query-counters.ts';
import { DEFAULT_QUERY_SETTINGS } from '../../src/nameserver/query-settings.ts';
import { Replica } from '../../src/nameserver/replica.ts';
import type { Status } from '../../src/registry/instance.ts';
import { type Policy, STRATEGY_NAMES, WHEN_ALL_UNHEALTHY } from '../../src/registry/policy.ts';
import { branchesOf } from '../../src/routing/branches.ts';
import { NO_CLIENT_ZONES } from '../../src/routing/client-zones.ts';
import { buildZone } from '../../src/zone/build-zone.ts';
import { readMasterFile } from '../../src/zone/master-file.ts';
import type { Zone } from '../../src/zone/zone.ts';
import { COOKIE_SECRET } from '../support/cookies.ts';
import { bytes, octets } from '../support/wire.ts';

const ZONE = `
$TTL 60
@         SOA   ns hostmaster 7 1h 15m 1w 5s
@         NS    ns
ns        A     127.0.0.1
ns        AAAA  ::1
b         MX    10 ns
below.c   TXT   "makes c an empty non-terminal"
d         A     192.0.2.1
alias     CNAME a
*.wild    A     192.0.2.2
`;

/** Without a domain: nothing but static records, and a serial of its own. */
const STATIC_ZONE = `
$TTL 60
@         SOA   NS.Static.Test. hostmaster.other.example. 41 1h 15m 1w 9s
@         NS    ns
ns        A     127.0.0.1
`;

const SERVICES = ['a', 'b', 'c', 'd', 'e'];
const STATUSES: Status[] = ['healthy', 'warning', 'unhealthy', 'pending', 'draining'];
const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '2001:db8::1', '2001:db8::2', 'host.example', 'd.d.test'];
const NAMES = SERVICES.flatMap((name) => [
  name,
  name.toUpperCase(),
  `t1.${name}`,
  `t2.t1.${name}`,
  `_${name}._tcp`,
  `_${name}._udp`,
  `_${name}._t1`,
  `_http._tcp.${name}`,
]);
NAMES.push(
  'ns',
  'alias',
  'x.wild',
  'nobody',
  'NoBody.d.TEST.',
  '_tcp',
  'addr',
  '10-0-0-1.addr',
  '@',
  '.',
  'a.example.',
);
NAMES.push(
  'ns.static.test.',
  'nobody.STATIC.test.',
  'static.test.',
  `${`${'x'.repeat(61)}.`.repeat(3)}${'y'.repeat(59)}`,
);

/** Kinds of DNS cookies: see `cookieOf`. */
const COOKIES = ['client', 'good', 'ageing', 'late', 'bad', 'long', 'malformed'] as const;
const NOW_SECONDS = 1_700_000_000;

const arbitraryMember = fc.record({
  op: fc.constant('member' as const),
  id: fc.integer({ min: 0, max: 11 }),
  service: fc.constantFrom(...SERVICES),
  address: fc.constantFrom(...ADDRESSES),
  port: fc.constantFrom(80, 8080),
  named: fc.boolean(),
  tags: fc.subarray(['t1', 't2']),
  weight: fc.constantFrom(0, 1, 3),
  ttlSeconds: fc.option(fc.constantFrom(1, 30), { nil: undefined }),
  meta: fc.constantFrom({}, { k: 'v' }),
  zone: fc.option(fc.constantFrom('eu', 'us'), { nil: undefined }),
  status: fc.constantFrom(...STATUSES),
});
const arbitraryMatch = fc.constantFrom({ tags: ['t1'] }, { tags: ['t1', 't2'] }, { meta: { k: 'v' } });
const arbitraryRoute = fc.record(
  {
    match: arbitraryMatch,
    client: fc.constantFrom(['10.0.0.0/8'], ['2001:db8::/32', '192.0.2.7']),
    percent: fc.constantFrom(0, 0.5, 30, 100),
    sticky: fc.boolean(),
  },
  { requiredKeys: ['match'] },
);
const arbitraryTier = fc.record(
  { match: arbitraryMatch, spillBelow: fc.constantFrom(0.3, 0.5, 1) },
  { requiredKeys: ['match'] },
);
const arbitraryPolicy = fc.record({
  op: fc.constant('policy' as const),
  service: fc.constantFrom(...SERVICES),
  policy: fc.record<Policy>(
    {
      strategy: fc.constantFrom(...STRATEGY_NAMES),
      maxAnswers: fc.integer({ min: 1, max: 9 }),
      ttlSeconds: fc.constantFrom<number>(0, 9),
      whenAllUnhealthy: fc.constantFrom(...WHEN_ALL_UNHEALTHY),
      minHealthyFraction: fc.constantFrom(0.3, 0.6),
      warningWeight: fc.constantFrom(0, 0.5),
      routes: fc.array(arbitraryRoute, { minLength: 1, maxLength: 3 }),
      tiers: fc.array(arbitraryTier, { minLength: 1, maxLength: 2 }),
      affinity: fc.record({
        by: fc.constantFrom('zone' as const, 'subnet' as const),
        mode: fc.constantFrom('prefer' as const, 'pin' as const),
      }),
    },
    { requiredKeys: [] },
  ),
});
const arbitraryGone = fc.record({ op: fc.constant('gone' as const), id: fc.integer({ min: 0, max: 11 }) });
const arbitraryQuery = fc.record({
  op: fc.constant('query' as const),
  name: fc.constantFrom(...NAMES),
  type: fc.constantFrom<string>('A', 'AAAA', 'SRV', 'TXT', 'MX', 'ANY', 'SOA'),
  /** Octets 2 and 3 of the header, but for QR and the opcode. */
  flags: fc.integer({ min: 0, max: 0x7ff }),
  udpSize: fc.option(fc.constantFrom<number>(0, 511, 512, 700, 1232, 4096, 65535), { nil: undefined }),
  dnssecOk: fc.boolean(),
  cookie: fc.option(fc.constantFrom(...COOKIES), { nil: undefined }),
  transport: fc.constantFrom('udp' as const, 'tcp' as const, 'tls' as const),
  client: fc.constantFrom('127.0.0.1', '10.0.0.9', '10.7.7.7', '192.0.2.7', '2001:db8::99', '2001:db8:1::1'),
});
type Step =
  | (typeof arbitraryMember extends fc.Arbitrary<infer T> ? T : never)
  | (typeof arbitraryPolicy extends fc.Arbitrary<infer T> ? T : never)
  | (typeof arbitraryGone extends fc.Arbitrary<infer T> ? T : never)
  | (typeof arbitraryQuery extends fc.Arbitrary<infer T> ? T : never);

/** A server without sockets: a replica fed with news, and a handler over it. */
class Server {
  readonly counters = new QueryCounters();
  readonly #replica = new Replica(new Cursors(createCursorMemory(1 << 10)));
  readonly #services = new Map<number, string>();
  readonly #handler: QueryHandler;
  readonly #out = new Uint8Array(65535);
  hot = 0;

  constructor(keepsHotAnswers: boolean) {
    const zones = [zoneOf(ZONE, 'd.test.'), zoneOf(STATIC_ZONE, 'static.test.')];
    const domain = { apex: parseName('d.test.'), ttlSeconds: 5, negativeTtlSeconds: 5, maxAnswers: 4 };
    const plan = {
      zones,
      domains: [domain],
      negativeTtlSeconds: 5,
      serverAddresses: ['127.0.0.1'],
      claimLocal: false,
      clientZones: [
        { zone: 'eu', networks: [parsePrefix('10.0.0.0/8')!] },
        { zone: 'us', networks: [parsePrefix('2001:db8::/48')!] },
      ],
    };
    this.#handler = new QueryHandler(buildView(plan, this.#replica), {
      random: seededRandom(1),
      counters: this.counters,
      settings: { ...DEFAULT_QUERY_SETTINGS, cookieSecrets: [COOKIE_SECRET] },
      keepsHotAnswers,
      placeOf: () => 0,
      onFailure: (error) => {
        throw error;
      },
    });
    this.#handler.state.isLoaded = true;
    this.#handler.setTime({ monotonicMs: () => 0, wallMs: () => NOW_SECONDS * 1000 });
  }

  take(step: Exclude<Step, { op: 'query' }>): void {
    for (const news of this.#newsOf(step)) {
      for (const service of this.#replica.apply(news)) this.#handler.view.serviceChanged(service);
      this.#handler.state.serialOffset++;
    }
  }

  #newsOf(step: Exclude<Step, { op: 'query' }>): RegistryNews[] {
    if (step.op === 'policy') {
      const { service, policy } = step;
      return [{ op: 'policy', service, policy, place: 0 }];
    }
    // An id that moves to another service is gone from the one it had, as the registry tells it.
    const before = this.#services.get(step.id);
    const gone: RegistryNews[] =
      before === undefined || (step.op === 'member' && before === step.service)
        ? []
        : [{ op: 'gone', id: `i${step.id}`, service: before }];
    if (step.op === 'gone') {
      this.#services.delete(step.id);
      return gone;
    }
    this.#services.set(step.id, step.service);
    const { service, address, port, tags, weight, meta, ttlSeconds, zone, status } = step;
    const ports = step.named ? { http: { port: port + 1, proto: 'tcp' as const } } : {};
    const few = { ...(ttlSeconds === undefined ? {} : { ttlSeconds }), ...(zone === undefined ? {} : { zone }) };
    const instance = { id: `i${step.id}`, service, address, port, ports, tags, weight, meta, ...few };
    return [...gone, { op: 'member', member: { instance, status }, place: 0 }];
  }

  ask(query: Uint8Array, transport: 'udp' | 'tcp' | 'tls', client = '127.0.0.1'): Uint8Array {
    return this.#out.slice(0, this.#handler.respond(query, transport, this.#out, new AddressClient(client)));
  }
}

function zoneOf(text: string, origin: string): Zone {
  const { records } = readMasterFile({ file: origin, text, origin: parseName(origin) });
  return buildZone(records, origin).zone!;
}

type QueryStep = Extract<Step, { op: 'query' }>;

function encode(
  step: Omit<QueryStep, 'op' | 'transport' | 'client' | 'cookie'> & Partial<Pick<QueryStep, 'client' | 'cookie'>>,
): Uint8Array {
  const { type, flags, udpSize, dnssecOk, cookie, client } = step;
  const options = cookie === undefined ? [] : [{ code: EDNS_OPTION.COOKIE, data: cookieOf(cookie, client!) }];
  const edns = udpSize === undefined ? undefined : { udpSize, extendedRcode: 0, version: 0, dnssecOk, options };
  const name = parseName(step.name, parseName('d.test.'));
  const query = encodeMessage(queryMessage(77, { name, type: parseType(type)!, class: 1 }, edns));
  query[2] = flags >> 8;
  query[3] = flags & 0xff;
  return query;
}

/** A cookie of a kind, as this client has it. */
function cookieOf(kind: (typeof COOKIES)[number], client: string): Uint8Array {
  const cookies = new ServerCookies([COOKIE_SECRET]);
  const ageSeconds = { good: 10, ageing: 2000, late: 4000 }[kind as string] ?? 0;
  cookies.take(bytes('0102030405060708'), 0, 8, new AddressClient(client), NOW_SECONDS - ageSeconds);
  const { cookie } = cookies;
  if (kind === 'bad') cookie[20]! ^= 1;
  if (kind === 'client') return cookie.slice(0, 8);
  if (kind === 'malformed') return cookie.slice(0, 15);
  return kind === 'long' ? octets(cookie, '00') : cookie;
}

/** A message as text: everything but how names are compressed. */
function readable(bytes: Uint8Array): unknown {
  const { id, flags, rcode, questions, answers, authorities, additionals, edns } = decodeMessage(bytes);
  const sections = [answers, authorities, additionals].map((records) => records.map(formatRecord));
  return { id, flags, rcode, question: questions.map(({ name, type }) => [formatName(name), type]), sections, edns };
}

describe('hot answers', () => {
  it('are those of the general path, over random registries, changes and questions', () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: arbitraryMember },
        { weight: 1, arbitrary: arbitraryPolicy },
        { weight: 1, arbitrary: arbitraryGone },
        { weight: 12, arbitrary: arbitraryQuery },
      ),
      { minLength: 1, maxLength: 120 },
    );
    fc.assert(
      fc.property(steps, (run) => {
        const hot = new Server(true);
        const general = new Server(false);
        for (const step of run) {
          if (step.op !== 'query') {
            hot.take(step);
            general.take(step);
            continue;
          }
          const query = encode(step);
          const { transport, client } = step;
          const expected = general.ask(query, transport, client);
          const got = hot.ask(query, transport, client);
          assert.deepEqual(readable(got), readable(expected), `${step.name} ${step.type} from ${client}`);
        }
        const counts = ({ counters }: Server) => [...counters.queries(), ...counters.answers(), counters.unknownNames];
        assert.deepEqual(counts(hot), counts(general), 'the same is counted');
      }),
      { numRuns: 400, seed: 20260101 },
    );
  });

  it('are left to the general path where the last octet decides what fits', () => {
    for (const type of ['A', 'SRV']) {
      for (const count of [30, 31, 32, 60]) {
        const servers = [new Server(true), new Server(false)];
        for (const server of servers) {
          server.take({ op: 'policy', service: 'a', policy: { ttlSeconds: 9, maxAnswers: 100 } });
          for (let id = 0; id < count; id++) server.take(memberNumber(id));
        }
        const ask = (udpSize: number | undefined, transport: 'udp' | 'tcp'): Uint8Array => {
          const query = encode({ name: 'a', type, flags: 0x100, udpSize, dnssecOk: false });
          const [hot, general] = servers.map((server) => server.ask(query, transport));
          assert.deepEqual(readable(hot!), readable(general!), `${count} ${type} in ${udpSize} octets by ${transport}`);
          return hot!;
        };
        const whole = ask(4096, 'tcp').length;
        for (const udpSize of [undefined, 0, 511, 512, 513, whole - 1, whole, whole + 1, 65535]) ask(udpSize, 'udp');
      }
    }
  });

  it('carry the serial of the moment, and a static zone its own', () => {
    const server = new Server(true);
    const serial = (name: string): number | undefined => {
      const reply = server.ask(encode({ name, type: 'AAAA', flags: 0, udpSize: undefined, dnssecOk: false }), 'udp');
      const soa = decodeMessage(reply).authorities.find(({ type }) => type === TYPE.SOA);
      return soa === undefined ? undefined : soaSerial(soa.rdata);
    };
    const names = ['a', 'nobody', 'nobody.static.test.'];
    server.take(memberNumber(1));
    assert.deepEqual(names.map(serial), [8, 8, 41]);
    server.take({ ...memberNumber(2), service: 'b' });
    assert.deepEqual(names.map(serial), [9, 9, 41]);
  });
});

describe('what is kept', () => {
  const plainQuery = (name: string): PlainQuery => {
    const query = new PlainQuery();
    const bytes = encode({ name, type: 'A', flags: 0, udpSize: undefined, dnssecOk: false });
    assert.ok(query.read(bytes, bytes.length), name);
    return query;
  };
  const entryOf = (freshness: Freshness, count: number): HotEntry => {
    const octets = new DataView(new ArrayBuffer(16 * count + 3));
    for (let i = 0; i < count; i++) octets.setUint16(i * 16 + 10, 4);
    const records = { count, octets, starts: Uint32Array.from({ length: count + 1 }, (_, i) => i * 16) };
    const glue = { count: 0, octets, starts: Uint32Array.of(0) };
    const longest = 16 * count;
    return {
      rcode: 0,
      freshness,
      place: 5,
      set: undefined,
      records,
      glue,
      authority: undefined,
      taken: count,
      longest,
    };
  };

  it('is found by its question until its service changes, and takes no more memory when it is put again', () => {
    const freshnesses = new Freshnesses();
    const hot = new HotAnswers(freshnesses);
    const names = Array.from({ length: 3000 }, (_, i) => plainQuery(`n${i}`));
    const fresh = names.map((query) => {
      const freshness = freshnesses.begin();
      hot.put(entryOf(freshness, 3), query);
      return freshness;
    });
    assert.ok(
      names.every((query) => hot.find(query) !== 0),
      'all are found',
    );
    const { size } = hot;
    for (const [i, query] of names.entries()) {
      freshnesses.end(fresh[i]!);
      assert.equal(hot.find(query), 0, 'it no longer holds');
      hot.put(entryOf(freshnesses.begin(), 3), query);
    }
    // An answer is put before the older one goes.
    assert.ok(hot.size <= size + 256, `${hot.size} octets after ${size}`);
  });

  it('by branch is found behind the choice, and its memory is used again with it', () => {
    const freshnesses = new Freshnesses();
    const hot = new HotAnswers(freshnesses, 1 << 16);
    const branches = branchesOf({ name: 'a', policy: undefined, instances: new Map() }, [], NO_CLIENT_ZONES);
    const query = plainQuery('a');
    const other = plainQuery('b');
    let size = 0;
    for (let round = 0; round < 50; round++) {
      const freshness = freshnesses.begin();
      const selector = { branches, turns: { next: () => 0 } };
      const split = hot.put({ ...entryOf(freshness, 0), selector }, query);
      assert.ok(hot.isSplit(split) && hot.find(query) === split, 'the choice is found');
      assert.equal(hot.selectorOf(split), selector);
      const blocks = [0, 7, 3].map((branch) => hot.putBranch(split, branch, entryOf(freshness, 3), query));
      assert.equal(new Set([...blocks, split]).size, 4);
      assert.ok(blocks.every((block) => block > 0 && !hot.isSplit(block)));
      assert.ok(hot.putBranch(split, 9, undefined, query) < 0, 'the general path');
      assert.deepEqual(
        [0, 7, 3, 9, 1].map((branch) => hot.branchOf(split, branch)),
        [...blocks, hot.branchOf(split, 9), 0],
      );
      assert.ok(hot.branchOf(split, 9) < 0, 'the general path, remembered');
      if (round === 5) size = hot.size;
      freshnesses.end(freshness);
      assert.equal(hot.find(query), 0, 'it no longer holds');
      hot.put(entryOf(freshnesses.begin(), 1), other);
    }
    assert.ok(size > 0 && hot.size <= size, `${hot.size} octets after ${size}`);
  });

  it('is kept of so many branches and no more', () => {
    const freshnesses = new Freshnesses();
    const hot = new HotAnswers(freshnesses);
    const branches = branchesOf({ name: 'a', policy: undefined, instances: new Map() }, [], NO_CLIENT_ZONES);
    const freshness = freshnesses.begin();
    const query = plainQuery('a');
    const split = hot.put({ ...entryOf(freshness, 0), selector: { branches, turns: { next: () => 0 } } }, query);
    for (let i = 0; i < 4096; i++) {
      assert.equal(hot.branchOf(split, i), 0, `branch ${i}`);
      hot.putBranch(split, i, entryOf(freshness, 1), query);
    }
    assert.ok(hot.branchOf(split, 4096) < 0, 'the general path answers all others');
    assert.ok(hot.branchOf(split, 4095) > 0, 'those that are kept stay');
    const large = hot.put(
      { ...entryOf(freshness, 0), selector: { branches, turns: { next: () => 0 } } },
      plainQuery('b'),
    );
    const kept = Array.from({ length: 100 }, (_, i) => hot.putBranch(large, i, entryOf(freshness, 20_000), query));
    assert.ok(kept[0]! > 0 && kept[99]! < 0, 'one question does not take all memory');
    assert.ok(hot.branchOf(split, 0) > 0, 'so others stay');
  });

  it('never takes more memory than it may, and has what was put last', () => {
    const freshnesses = new Freshnesses();
    const hot = new HotAnswers(freshnesses, 1 << 16);
    for (let i = 0; i < 5000; i++) {
      const query = plainQuery(`n${i}`);
      const at = hot.put(entryOf(freshnesses.begin(), 1 + (i % 7)), query);
      assert.equal(hot.find(query), at);
      assert.ok(at > 0 && hot.size <= 1 << 16, `${hot.size} octets`);
    }
    assert.equal(hot.put(entryOf(freshnesses.begin(), 10_000), plainQuery('large')), 0, 'too large for all there is');
  });
});

/** A member of service `a` with an address of its own. */
function memberNumber(id: number): Exclude<Step, { op: 'query' }> & { op: 'member' } {
  return {
    op: 'member',
    id,
    service: 'a',
    address: `10.9.0.${id}`,
    port: 80,
    named: false,
    tags: [],
    weight: 1,
    ttlSeconds: undefined,
    meta: {},
    zone: undefined,
    status: 'healthy',
  };
}
