// explain.test.ts -- explanations agree with the answers themselves

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../src/base/ip.ts';
import { atOnce } from '../../src/base/pauses.ts';
import { formatRcode, parseType, TYPE } from '../../src/dns/codes.ts';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { prefixClient } from '../../src/nameserver/client.ts';
import { explain } from '../../src/nameserver/explain.ts';
import type { Explanation } from '../../src/nameserver/explanation.ts';
import { NameServer } from '../support/name-server.ts';

const ZONE = `$ORIGIN service.local.
@ 60 IN SOA ns hostmaster 1 3600 600 86400 5
@ 60 IN NS ns
ns 60 IN A 127.0.0.1
www 60 IN A 192.0.2.1
both 60 IN A 192.0.2.2
to-web 60 IN CNAME web
out 60 IN CNAME example.org.
round 60 IN CNAME round
*.any 60 IN TXT "wild"
sub 60 IN NS ns.sub
ns.sub 60 IN A 192.0.2.3
`;

function explained(server: NameServer, question: string, client = '127.0.0.1'): Explanation {
  const [name, type] = question.split(' ');
  const asked = { name: parseName(name!), type: parseType(type!)!, client: prefixClient(parsePrefix(client)!) };
  return atOnce(explain(asked, server.handler.view, (service) => server.registry.service(service)));
}

function byId({ instances }: Explanation) {
  return Object.fromEntries(instances.map((each) => [each.member.instance.id, each]));
}

describe('where a name leads', () => {
  const rows: readonly (readonly [question: string, result: string, reason: RegExp])[] = [
    ['www.service.local. A', 'answer', /^the zone file has A/],
    ['both.service.local. A', 'answer', /it hides those of service 'both'/],
    ['both.service.local. SRV', 'answer', /service 'both' answers/],
    ['both.service.local. MX', 'nodata', /other records here|whatever the instances/],
    ['to-web.service.local. A', 'answer', /service 'web' answers/],
    ['to-web.service.local. CNAME', 'answer', /the name is an alias/],
    ['out.service.local. A', 'answer', /leads out of the zones/],
    ['round.service.local. A', 'alias-loop', /go round/],
    ['x.any.service.local. TXT', 'answer', /a wildcard/],
    ['x.sub.service.local. A', 'referral', /delegates sub\.service\.local/],
    ['sub.service.local. DS', 'nodata', /no DS/],
    ['nobody.service.local. A', 'nxdomain', /no service 'nobody' is known/],
    ['nope.web.service.local. A', 'nxdomain', /service 'web' has no such name/],
    ['web.service.local. MX', 'nodata', /no MX records, whatever/],
    ['web.service.local. AAAA', 'nodata', /no instance of service 'web' is there to be answered as AAAA/],
    ['web.service.local. ANY', 'answer', /HINFO/],
    ['addr.service.local. A', 'nodata', /only names below/],
    ['10-0-0-1.addr.service.local. A', 'answer', /has this address/],
    ['10-0-0-9.addr.service.local. A', 'nxdomain', /no instance has this address/],
    ['10-0-0-1.addr.service.local. AAAA', 'nodata', /one for A/],
    ['empty.service.local. A', 'nodata', /a policy, but no instance/],
    ['constructor.service.local. A', 'nxdomain', /no service/],
    ['_services._dns-sd._udp.service.local. PTR', 'answer', /^the list of service types: 2 records/],
    ['_web._tcp.service.local. PTR', 'answer', /^the list of instances of a type: 2 records/],
    ['_web._tcp.service.local. SRV', 'answer', /service 'web' answers/],
    ['web-1._web._tcp.service.local. SRV', 'answer', /^an instance: 1 record$/],
    ['web-1._web._tcp.service.local. A', 'nodata', /^an instance, which has no A records/],
    ['web-9._web._tcp.service.local. SRV', 'nxdomain', /no instance of this name/],
    ['_nobody._tcp.service.local. SRV', 'nxdomain', /no service of this name/],
    ['web.service.local. SVCB', 'answer', /service 'web' answers/],
    ['web.service.local. HTTPS', 'nodata', /no instance of service 'web' is there to be answered as HTTPS/],
    ['example.org. A', 'refused', /none of the zones/],
  ];
  for (const [question, result, reason] of rows) {
    it(`${question}: ${result}`, async () => {
      const server = await NameServer.open({ zones: [ZONE] });
      await server.registerMany('web', 2);
      await server.registerMany('both', 1);
      await server.setPolicy('empty', { strategy: 'random' });
      const { trace } = explained(server, question);
      assert.equal(trace.result, result, trace.reason);
      assert.match(trace.reason, reason);
      // The answer itself agrees.
      const reply = server.ask(question);
      assert.equal(formatRcode(reply.rcode), formatRcode(trace.rcode));
      const isAnswer = result === 'answer' || result === 'alias-loop';
      assert.equal(reply.answers.length > 0, isAnswer, 'records');
    });
  }
});

describe('why an instance is in or out', () => {
  it('names every reason', async () => {
    const server = await NameServer.open();
    const checked = { port: 80, checks: [{ id: 'c', type: 'heartbeat', interval: '5s', initial: 'critical' }] };
    await server.register('web', 'general', { address: '10.0.0.1', port: 80, tags: ['eu'] });
    await server.register('web', 'canary', { address: '10.0.0.2', port: 80, tags: ['v2', 'eu'] });
    await server.register('web', 'standby', { address: '10.0.0.3', port: 80, weight: 0 });
    await server.register('web', 'broken', { address: '10.0.0.4', ...checked });
    await server.register('web', 'six', { address: '2001:db8::1', port: 80 });
    await server.register('web', 'drained', { address: '10.0.0.6', port: 80 });
    await server.registry.setDraining('drained', true);
    const routes = [{ match: { tags: ['v2'] }, client: ['10.9.0.0/16'] }];
    await server.setPolicy('web', { routes, ttl: '7s' });
    const reasons = Object.fromEntries(
      explained(server, 'web.service.local. A').instances.map(({ member, reason }) => [member.instance.id, reason]),
    );
    assert.deepEqual(reasons, {
      ...{ general: 'answered', standby: 'standby', canary: 'route', broken: 'status', six: 'type', drained: 'status' },
    });
    const tagged = explained(server, 'eu.web.service.local. A', '10.9.0.1');
    assert.equal(byId(tagged).standby?.reason, 'tags');
    assert.equal(byId(tagged).canary?.reason, 'answered', 'tags bypass routes');
    const canary = explained(server, 'web.service.local. A', '10.9.1.1');
    assert.equal(canary.dependsOnClient, true);
    assert.deepEqual(
      canary.instances.filter(({ rank }) => rank !== undefined).map(({ member }) => member.instance.id),
      ['canary'],
    );
    assert.equal(canary.ways[0]?.ttlReason, 'the policy');
  });

  it('tells tiers, limits and affinity apart', async () => {
    const server = await NameServer.open({ clientZones: { eu: ['10.1.0.0/16'] } });
    await server.register('db', 'db-1', { address: '10.0.0.1', port: 1, tags: ['a'], zone: 'eu' });
    await server.register('db', 'db-2', { address: '10.0.0.2', port: 1, tags: ['a'], zone: 'us' });
    await server.register('db', 'db-3', { address: '10.0.0.3', port: 1, tags: ['b'] });
    await server.setPolicy('db', { tiers: [{ match: { tags: ['a'] } }], affinity: { by: 'zone' } });
    const near = byId(explained(server, 'db.service.local. A', '10.1.0.9'));
    assert.deepEqual(
      [near['db-1']?.reason, near['db-2']?.reason, near['db-3']?.reason],
      ['answered', 'affinity', 'tier'],
    );
    const pinned = { affinity: { by: 'zone', mode: 'pin' } };
    await server.setPolicy('db', pinned);
    assert.equal(explained(server, 'db.service.local. A', '10.2.0.1').trace.result, 'nodata');
    await server.setPolicy('db', { strategy: 'failover', maxAnswers: 2 });
    const failover = byId(explained(server, 'db.service.local. A'));
    assert.deepEqual([failover['db-1']?.rank, failover['db-2']?.rank, failover['db-3']?.reason], [1, 2, 'limit']);
    await server.setPolicy('db', { minHealthyFraction: 1 });
    await server.register('db', 'db-4', {
      ...{
        address: '10.0.0.4',
        port: 1,
        checks: [{ id: 'c', type: 'heartbeat', interval: '5s', initial: 'critical' }],
      },
    });
    const few = byId(explained(server, 'db.service.local. A'));
    assert.deepEqual([few['db-1']?.reason, few['db-4']?.reason], ['suppressed', 'status']);
    await server.setPolicy('db', { minHealthyFraction: 1, whenAllUnhealthy: 'all' });
    assert.equal(byId(explained(server, 'db.service.local. A'))['db-4']?.reason, 'all-unhealthy');
  });

  it('takes nobody its turn', async () => {
    const server = await NameServer.open();
    await server.registerMany('web', 3);
    const first = () => formatRecord(server.ask('web.service.local. A').answers[0]!);
    const seen = [first()];
    explained(server, 'web.service.local. A');
    seen.push(first());
    explained(server, 'web.service.local. SRV');
    seen.push(first());
    assert.equal(new Set(seen).size, 3, 'three answers, three in turn');
  });
});

describe('shares', () => {
  const policies: readonly object[] = [
    {},
    { strategy: 'random', maxAnswers: 2 },
    { strategy: 'weighted', maxAnswers: 2 },
    { strategy: 'weighted', routes: [{ match: { tags: ['v2'] }, percent: 12.5 }] },
    { strategy: 'subset', maxAnswers: 3 },
    { strategy: 'hash', maxAnswers: 2 },
    { strategy: 'weighted', oneSubnetPerAnswer: true },
  ];
  for (const policy of policies) {
    it(`agree with many answers: ${JSON.stringify(policy)}`, async () => {
      const server = await NameServer.open();
      for (const [i, weight] of [1, 2, 3, 4, 5, 0].entries()) {
        const tags = i === 1 ? ['v2'] : [];
        await server.register('web', `web-${i}`, { address: `10.0.${i >> 1}.${i + 1}`, port: 80, weight, tags });
      }
      await server.setPolicy('web', policy);
      const told = byId(explained(server, 'web.service.local. A', '10.5.6.7'));
      const asked = 20_000;
      const first = new Map<string, number>();
      const included = new Map<string, number>();
      for (let i = 0; i < asked; i++) {
        const reply = server.ask('web.service.local. A', { client: '10.5.6.7' });
        for (const [place, record] of reply.answers.entries()) {
          const address = formatRecord(record).split(/\s+/).at(-1)!;
          if (place === 0) first.set(address, (first.get(address) ?? 0) + 1);
          included.set(address, (included.get(address) ?? 0) + 1);
        }
      }
      for (const { member, share, inclusion } of Object.values(told)) {
        const { address } = member.instance;
        const near = (a: number, b: number, what: string) =>
          assert.ok(Math.abs(a - b) < 0.02, `${what} of ${address}: told ${a}, answered ${b}`);
        near(share, (first.get(address) ?? 0) / asked, 'first');
        near(inclusion, (included.get(address) ?? 0) / asked, 'in the answer');
      }
    });
  }
});

describe('a million answers', () => {
  const policies: readonly (readonly [policy: object, shares: readonly number[]])[] = [
    [{ strategy: 'weighted', maxAnswers: 2 }, [0.1, 0.2, 0.3, 0.4]],
    [{ strategy: 'random', maxAnswers: 2 }, [0.25, 0.25, 0.25, 0.25]],
  ];
  for (const [policy, wanted] of policies) {
    it(`begin as explained: ${JSON.stringify(policy)}`, async () => {
      const server = await NameServer.open();
      for (const [i, weight] of [1, 2, 3, 4].entries()) {
        await server.register('web', `web-${i}`, { address: `10.0.0.${i + 1}`, port: 80, weight });
      }
      await server.setPolicy('web', policy);
      const told = explained(server, 'web.service.local. A');
      const question = { name: parseName('web.service.local.'), type: TYPE.A, class: 1 };
      const query = encodeMessage(queryMessage(1, question));
      const out = new Uint8Array(512);
      const client = prefixClient(parsePrefix('127.0.0.1')!);
      // Behind the question: a pointer to the name, type, class, TTL and length, and then the first address.
      const lastOctet = query.length + 12 + 3;
      const counts = [0, 0, 0, 0];
      const answers = 1_000_000;
      for (let i = 0; i < answers; i++) {
        server.handler.respond(query, 'udp', out, client);
        counts[out[lastOctet]! - 1]! += 1;
      }
      for (const { member, share } of told.instances) {
        const index = Number(member.instance.id.slice('web-'.length));
        const got = counts[index]! / answers;
        assert.ok(Math.abs(got - wanted[index]!) < 0.005, `${member.instance.id}: ${got}`);
        // Told by ten thousand draws, where chance decides.
        assert.ok(Math.abs(got - share) < 0.02, `${member.instance.id}: ${got}, explained as ${share}`);
      }
    });
  }
});

describe('a large service', () => {
  const ask = (server: NameServer) =>
    explain(
      { name: parseName('web.service.local.'), type: TYPE.A, client: prefixClient(parsePrefix('10.0.0.1')!) },
      server.handler.view,
      (service) => server.registry.service(service),
    );
  const parts = ({ service, instances }: Explanation) => ({
    strategy: service?.policy?.strategy,
    instances: instances.map(({ member, reason, share, weight }) => [member.instance.id, reason, share, weight]),
  });

  it('is explained with many pauses, as it was at the beginning', async () => {
    const server = await NameServer.open();
    await server.registerMany('web', 1000);
    await server.setPolicy('web', { strategy: 'hash' });
    const before = parts(atOnce(ask(server)));
    // Nothing is prepared any more.
    await server.setPolicy('web', { strategy: 'hash' });
    let steps = 0;
    for (const work = ask(server); work.next().done !== true; ) steps++;
    // Four stages of 1000 members, and draws.
    assert.ok(steps > 4 * 3 + 100, `${steps} steps`);
    await server.setPolicy('web', { strategy: 'hash' });
    for (const changesAfter of [1, 3, 7, 20, steps - 2]) {
      const work = ask(server);
      for (let i = 0; i < changesAfter; i++) work.next();
      await server.setPolicy('web', { strategy: 'failover' });
      await server.registry.setDraining('web-1', true);
      await server.registry.deregister('web-2');
      assert.deepEqual(parts(atOnce(work)), before, `changed after ${changesAfter} steps`);
      const after = parts(atOnce(ask(server)));
      assert.equal(after.strategy, 'failover');
      assert.equal(after.instances.length, 999);
      await server.registry.setDraining('web-1', false);
      await server.register('web', 'web-2', { address: '10.0.0.2', port: 8080 });
      await server.setPolicy('web', { strategy: 'hash' });
    }
  });
});
