// hot-answers.test.ts -- the hot path says exactly what the general path says, whatever is registered and asked

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../src/base/random.ts';
import { parseType } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { buildView } from '../../src/nameserver/build-view.ts';
import { Cursors, createCursorMemory } from '../../src/nameserver/cursors.ts';
import type { RegistryNews } from '../../src/nameserver/news.ts';
import { QueryHandler } from '../../src/nameserver/query.ts';
import { QueryCounters } from '../../src/nameserver/query-counters.ts';
import { Replica } from '../../src/nameserver/replica.ts';
import type { Status } from '../../src/registry/instance.ts';
import type { StrategyName } from '../../src/registry/policy.ts';
import { buildZone } from '../../src/zone/build-zone.ts';
import { readMasterFile } from '../../src/zone/master-file.ts';

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
NAMES.push('ns', 'alias', 'x.wild', 'nobody', '_tcp', 'addr', '10-0-0-1.addr', '@');

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
  status: fc.constantFrom(...STATUSES),
});
const arbitraryPolicy = fc.record({
  op: fc.constant('policy' as const),
  service: fc.constantFrom(...SERVICES),
  strategy: fc.constantFrom<StrategyName>('round-robin', 'random', 'weighted'),
  maxAnswers: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
  ttlSeconds: fc.option(fc.constantFrom(0, 9), { nil: undefined }),
});
const arbitraryGone = fc.record({ op: fc.constant('gone' as const), id: fc.integer({ min: 0, max: 11 }) });
const arbitraryQuery = fc.record({
  op: fc.constant('query' as const),
  name: fc.constantFrom(...NAMES),
  type: fc.constantFrom('A', 'AAAA', 'SRV', 'TXT', 'MX', 'ANY', 'SOA'),
  udpSize: fc.option(fc.constantFrom(100, 512, 1232, 4096), { nil: undefined }),
  dnssecOk: fc.boolean(),
  transport: fc.constantFrom('udp' as const, 'tcp' as const),
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
    const { records } = readMasterFile({ file: 'd.zone', text: ZONE, origin: parseName('d.test.') });
    const zone = buildZone(records, 'd.zone').zone!;
    const domain = { apex: parseName('d.test.'), ttlSeconds: 5, negativeTtlSeconds: 5, maxAnswers: 4 };
    const plan = {
      zones: [zone],
      domains: [domain],
      negativeTtlSeconds: 5,
      serverAddresses: ['127.0.0.1'],
      claimLocal: false,
    };
    this.#handler = new QueryHandler(buildView(plan, this.#replica), {
      random: seededRandom(1),
      counters: this.counters,
      maxUdpSize: 1232,
      keepsHotAnswers,
      placeOf: () => 0,
      onFailure: (error) => {
        throw error;
      },
    });
    this.#handler.state.isLoaded = true;
  }

  take(step: Exclude<Step, { op: 'query' }>): void {
    for (const news of this.#newsOf(step)) {
      for (const service of this.#replica.apply(news)) this.#handler.view.serviceChanged(service);
      this.#handler.state.serialOffset++;
    }
  }

  #newsOf(step: Exclude<Step, { op: 'query' }>): RegistryNews[] {
    if (step.op === 'policy') {
      const { service, strategy, maxAnswers, ttlSeconds } = step;
      const policy = {
        strategy,
        ...(maxAnswers === undefined ? {} : { maxAnswers }),
        ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
      };
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
    const { service, address, port, tags, weight, meta, ttlSeconds, status } = step;
    const ports = step.named ? { http: { port: port + 1, proto: 'tcp' as const } } : {};
    const ttl = ttlSeconds === undefined ? {} : { ttlSeconds };
    const instance = { id: `i${step.id}`, service, address, port, ports, tags, weight, meta, ...ttl };
    return [...gone, { op: 'member', member: { instance, status }, place: 0 }];
  }

  ask(query: Uint8Array, transport: 'udp' | 'tcp'): Uint8Array {
    return this.#out.slice(0, this.#handler.respond(query, transport, this.#out));
  }
}

function encode(step: Extract<Step, { op: 'query' }>): Uint8Array {
  const { type, udpSize, dnssecOk } = step;
  const edns = udpSize === undefined ? undefined : { udpSize, extendedRcode: 0, version: 0, dnssecOk, options: [] };
  const name = parseName(step.name, parseName('d.test.'));
  return encodeMessage(queryMessage(77, { name, type: parseType(type)!, class: 1 }, edns));
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
          const expected = general.ask(query, step.transport);
          assert.deepEqual(readable(hot.ask(query, step.transport)), readable(expected), `${step.name} ${step.type}`);
        }
        assert.deepEqual([...hot.counters.queries()], [...general.counters.queries()], 'the same is counted');
      }),
      { numRuns: 400, seed: 20260101 },
    );
  });
});
