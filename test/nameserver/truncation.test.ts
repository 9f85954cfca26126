// truncation.test.ts -- replies of every size against limits of every size (contract section 2: size)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { NameServer, parseQuestion } from '../support/name-server.ts';

const SERVERS = Array.from({ length: 20 }, (_, i) => i);
const ZONE = `
$ORIGIN static.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
${SERVERS.map((i) => `cut NS ns${i}.cut\nns${i}.cut A 192.0.2.${i + 10}\nns${i}.cut AAAA 2001:db8::${i + 10}`).join('\n')}
${SERVERS.map((i) => `mx MX ${i} ns${i}.mx\nns${i}.mx A 192.0.2.${i + 10}`).join('\n')}
`;

interface World {
  readonly domain: string;
  readonly service: string;
  readonly instances: readonly { address: string; port: number; weight: number; meta: string }[];
  readonly maxAnswers: number;
  readonly strategy: string;
  readonly maxUdpSize: number;
}

const label = (maxLength: number) => fc.integer({ min: 1, max: maxLength }).map((length) => 's'.repeat(length));
const address = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.integer({ min: 1, max: 2 ** 24 - 1 }).map((n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`),
  },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 65535 }).map((n) => `2001:db8::${n.toString(16)}`) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 99 }).map((n) => `host${n}.elsewhere.example`) },
);
const world: fc.Arbitrary<World> = fc.record({
  domain: fc.tuple(label(63), label(63)).map((labels) => labels.join('.')),
  service: label(63),
  instances: fc.array(
    fc.record({
      address,
      port: fc.integer({ min: 1, max: 65535 }),
      weight: fc.constantFrom(0, 1, 100),
      meta: fc.integer({ min: 0, max: 400 }).map((length) => 'm'.repeat(length)),
    }),
    { maxLength: 90 },
  ),
  maxAnswers: fc.integer({ min: 1, max: 120 }),
  strategy: fc.constantFrom('round-robin', 'random', 'weighted'),
  maxUdpSize: fc.constantFrom(512, 1232, 1400, 4096),
});

async function open(chosen: World): Promise<NameServer> {
  const server = await NameServer.open({
    zones: [ZONE],
    domains: [{ name: chosen.domain, maxAnswers: chosen.maxAnswers }],
    settings: { maxUdpSize: chosen.maxUdpSize },
  });
  await server.setPolicy(chosen.service, { strategy: chosen.strategy });
  for (const [i, { meta, ...instance }] of chosen.instances.entries()) {
    await server.register(chosen.service, `i${i}`, { ...instance, tags: ['t'], ports: { http: 80 }, meta: { meta } });
  }
  return server;
}

function sizes(reply: Message): number[] {
  return [reply.answers.length, reply.authorities.length, reply.additionals.length];
}

/** Everything a reply must keep to, against the whole of it as TCP has it. */
function checkReply(octets: Uint8Array, whole: Message, limit: number, hasEdns: boolean): string {
  assert.ok(octets.length <= limit, `${octets.length} octets for a limit of ${limit}`);
  const reply = decodeMessage(octets);
  dnsPacket.decode(Buffer.from(octets)); // another reader takes it too
  const [answers, authorities, additionals] = sizes(reply) as [number, number, number];
  const [allAnswers, allAuthorities, allAdditionals] = sizes(whole) as [number, number, number];
  const isReferral = whole.answers.length === 0 && whole.additionals.length > 0;
  const isCut = (reply.flags & FLAG.TC) !== 0;
  assert.equal(reply.edns !== undefined, hasEdns);
  assert.equal(reply.rcode, whole.rcode);
  assert.equal(reply.questions.length, 1);
  const isMissing =
    answers < allAnswers || authorities < allAuthorities || (isReferral && additionals < allAdditionals);
  assert.equal(isCut, isMissing, 'TC exactly when something is missing that must not be');
  if (isCut && !isReferral) assert.equal(additionals, 0, 'additional records give way first');
  if (isCut) {
    // Filled up: none of what is missing would have fitted. A record takes at most its owner, ten octets and its RDATA.
    const largest = Math.max(
      ...[...whole.answers, ...whole.authorities, ...whole.additionals].map(
        (record) => record.name.length + 10 + record.rdata.length,
      ),
    );
    assert.ok(limit - octets.length < largest, `${limit - octets.length} octets left`);
  }
  return isCut ? 'cut' : additionals < allAdditionals ? 'fewer' : 'whole';
}

describe('replies and their limits', () => {
  it('hold in any world', async () => {
    const seen = new Map<string, number>();
    const udpSize = fc.oneof(
      fc.constant(undefined),
      fc.integer({ min: 0, max: 4500 }),
      fc.constantFrom(512, 1232, 65535),
    );
    await fc.assert(
      fc.asyncProperty(world, fc.array(udpSize, { minLength: 2, maxLength: 4 }), async (chosen, clientSizes) => {
        const server = await open(chosen);
        const { service: s, domain: d } = chosen;
        const questions = [
          `${s}.${d}. A`,
          `${s}.${d}. AAAA`,
          `${s}.${d}. SRV`,
          `${s}.${d}. TXT`,
          `_${s.slice(0, 62)}._tcp.${d}. SRV`,
          `_http._tcp.${s}.${d}. SRV`,
          `t.${s}.${d}. SRV`,
          `nobody.${d}. A`,
          'x.cut.static.test. A',
          'mx.static.test. MX',
        ];
        for (const question of questions) {
          const whole = server.ask(question, { transport: 'tcp', edns: true });
          assert.equal(whole.flags & FLAG.TC, 0, 'whole over TCP');
          for (const size of clientSizes) {
            const edns =
              size === undefined
                ? undefined
                : { udpSize: size, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };
            const octets = server.respond(encodeMessage(queryMessage(9, parseQuestion(question), edns)))!;
            const limit = size === undefined ? 512 : Math.min(Math.max(size, 512), chosen.maxUdpSize);
            const kind = checkReply(octets, whole, limit, edns !== undefined);
            seen.set(kind, (seen.get(kind) ?? 0) + 1);
          }
        }
        assert.deepEqual(server.failures, []);
      }),
      { seed: 2181, numRuns: 150 },
    );
    for (const kind of ['cut', 'fewer', 'whole']) assert.ok((seen.get(kind) ?? 0) > 100, `${kind}: ${seen.get(kind)}`);
  });

  it('maxAnswers is no truncation, however much there is', async () => {
    const server = await NameServer.open({ domains: [{ name: 'service.local', maxAnswers: 2 }] });
    await server.registerMany('web', 300);
    for (const type of ['A', 'SRV']) {
      const reply = server.ask(`web.service.local. ${type}`);
      assert.deepEqual([reply.answers.length, reply.flags & FLAG.TC], [2, 0]);
    }
  });

  it('a thousand answers fit over TCP', async () => {
    const server = await NameServer.open({ domains: [{ name: 'service.local', maxAnswers: 1000 }] });
    await server.registerMany('web', 1200);
    for (const type of ['A', 'SRV']) {
      const reply = server.ask(`web.service.local. ${type}`, { transport: 'tcp' });
      assert.deepEqual([reply.answers.length, reply.flags & FLAG.TC], [1000, 0]);
    }
  });
});
