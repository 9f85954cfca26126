// reverse-names.test.ts -- names of addresses: every name at and above a known address exists, and no other

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIp, parsePrefix, prefixContains } from '../../src/base/ip.ts';
import { seededRandom } from '../../src/base/random.ts';
import { formatRcode } from '../../src/dns/codes.ts';
import { formatName } from '../../src/dns/name.ts';
import { formatRdata } from '../../src/dns/rdata/rdata.ts';
import { reverseApexes, widest } from '../../src/nameserver/reverse-names.ts';
import { expectReply, NameServer } from '../support/name-server.ts';

/** The name of an address, without any of the code that is under test. */
function reverseName(text: string): string {
  const { family, bytes } = parseIp(text)!;
  if (family === 4) return `${[...bytes].reverse().join('.')}.in-addr.arpa.`;
  return `${[...Buffer.from(bytes).toString('hex')].reverse().join('.')}.ip6.arpa.`;
}

describe('the zones of a network', () => {
  const cases: readonly [string, number, string, string][] = [
    ['10.0.0.0/8', 1, '10.in-addr.arpa.', '10.in-addr.arpa.'],
    ['192.168.7.0/24', 1, '7.168.192.in-addr.arpa.', '7.168.192.in-addr.arpa.'],
    ['192.168.7.9/32', 1, '9.7.168.192.in-addr.arpa.', '9.7.168.192.in-addr.arpa.'],
    ['0.0.0.0/0', 1, 'in-addr.arpa.', 'in-addr.arpa.'],
    ['172.16.0.0/12', 16, '16.172.in-addr.arpa.', '31.172.in-addr.arpa.'],
    ['10.0.0.128/25', 128, '128.0.0.10.in-addr.arpa.', '255.0.0.10.in-addr.arpa.'],
    ['2001:db8::/32', 1, '8.b.d.0.1.0.0.2.ip6.arpa.', '8.b.d.0.1.0.0.2.ip6.arpa.'],
    ['fc00::/7', 2, 'c.f.ip6.arpa.', 'd.f.ip6.arpa.'],
    ['2001:db8:f::/49', 8, '0.f.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.', '7.f.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.'],
  ];
  for (const [network, count, first, last] of cases) {
    it(`${network}: ${count} from ${first}`, () => {
      const apexes = reverseApexes(parsePrefix(network)!).map(formatName);
      assert.equal(apexes.length, count);
      assert.equal(new Set(apexes).size, count);
      assert.equal(apexes[0], first);
      assert.equal(apexes.at(-1), last);
    });
  }

  it('are those of the widest networks only', () => {
    const texts = ['10.1.0.0/16', '10.0.0.0/8', '10.0.0.0/8', '10.2.3.0/25', '::/0', 'fc00::/7', '11.0.0.0/8'];
    assert.deepEqual(
      widest(texts.map((text) => parsePrefix(text)!)),
      ['10.0.0.0/8', '::/0', '11.0.0.0/8'].map((text) => parsePrefix(text)!),
    );
  });
});

describe('names of addresses', () => {
  const NETWORKS = ['10.1.0.0/16', '10.2.3.64/26', '172.16.0.0/12', '2001:db8::/33', '192.0.2.1/32'];
  const ZONES = [
    '$ORIGIN 1.10.in-addr.arpa.\n$TTL 60\n@ SOA ns.x. h.x. 1 3600 600 86400 5\n  NS ns.x.\n',
    // Above two of the networks; the third of them has names beside it that are nobody's.
    '$ORIGIN 172.in-addr.arpa.\n$TTL 60\n@ SOA ns.x. h.x. 1 3600 600 86400 5\n  NS ns.x.\n',
    '$ORIGIN 0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.\n$TTL 60\n@ SOA ns.x. h.x. 1 3600 600 86400 5\n  NS ns.x.\n',
  ];
  const networks = NETWORKS.map((text) => parsePrefix(text)!);

  it('are those of known addresses inside the networks, and those above them, after every change', async () => {
    let asked = 0;
    for (let round = 0; round < 12; round++) {
      const random = seededRandom(round);
      const zones = ZONES.filter(() => random.below(2) === 0);
      const server = await NameServer.open({ zones, reverse: NETWORKS });
      const known = new Map<string, { address: string; service: string }>();
      const octet = () => [0, 1, 63, 64, 127, 128, 255][random.below(7)]!;
      const anAddress = (): string => {
        const picks = [
          () => `10.1.${octet()}.${octet()}`,
          () => `10.2.3.${octet()}`,
          () => `172.${[15, 16, 31, 32][random.below(4)]}.0.${octet()}`,
          () => `2001:db8:${['0', '7fff', '8000'][random.below(3)]}::${octet().toString(16)}`,
          () => '192.0.2.1',
        ];
        return parseIp(picks[random.below(picks.length)]!())!.text;
      };
      for (let step = 0; step < 25; step++) {
        const id = `i${random.below(8)}`;
        if (known.has(id)) {
          await server.registry.deregister(id);
          known.delete(id);
        }
        if (random.below(3) > 0) {
          const each = { address: anAddress(), service: ['web', 'db'][random.below(2)]! };
          await server.register(each.service, id, { address: each.address, port: 80 });
          await server.registry.setDraining(id, random.below(2) === 0);
          known.set(id, each);
        }
        const inside = [...known.values()].filter(({ address }) =>
          networks.some((network) => prefixContains(network, parseIp(address)!)),
        );
        const expected = new Map<string, Set<string>>();
        for (const { address, service } of inside) {
          const name = reverseName(address);
          expected.set(name, (expected.get(name) ?? new Set()).add(`${service}.service.local.`));
        }
        const names = [...expected.keys(), ...Array.from({ length: 4 }, () => reverseName(anAddress()))];
        for (const name of names) {
          const labels = name.split('.');
          for (let from = 0; from < labels.length - 3; from += 1 + random.below(3)) {
            const each = labels.slice(from).join('.');
            const reply = server.ask(`${each} PTR`);
            asked++;
            if (formatRcode(reply.rcode) === 'REFUSED') {
              assert.ok(
                ![...expected.keys()].some((other) => other === each),
                `${each} is refused, though it is an address inside`,
              );
              continue;
            }
            const exists =
              [...expected.keys()].some((other) => other === each || other.endsWith(`.${each}`)) ||
              server.zones.some(({ zone }) => formatName(zone.apex) === each);
            assert.equal(formatRcode(reply.rcode), exists ? 'NOERROR' : 'NXDOMAIN', each);
            const got = reply.answers.map(({ type, rdata }) => formatRdata(type, rdata)).sort();
            assert.deepEqual(got, [...(expected.get(each) ?? [])].sort(), each);
            assert.equal(reply.authorities.length, got.length > 0 ? 0 : 1, each);
          }
        }
      }
      assert.deepEqual(server.failures, []);
    }
    assert.ok(asked > 5000, `${asked}`);
  });

  it('are of 32 services at most', async () => {
    const server = await NameServer.open({ reverse: ['10.0.0.0/8'] });
    for (let i = 0; i < 40; i++) await server.register(`s${i}`, `s${i}-1`, { address: '10.0.0.1', port: 80 });
    assert.equal(server.ask('1.0.0.10.in-addr.arpa. PTR', { transport: 'tcp' }).answers.length, 32);
  });

  it('take no other spelling of an address', async () => {
    const server = await NameServer.open({ reverse: ['10.0.0.0/8', '2001:db8::/32', '::ffff:0:0/96'].slice(0, 2) });
    await server.register('web', 'web-1', { address: '10.0.0.7', port: 80 });
    await server.register('web', 'web-2', { address: '2001:db8::a', port: 80 });
    const nibbles = reverseName('2001:db8::a');
    for (const name of ['07.0.0.10', '7.00.0.10', '263.0.0.10', '*.0.0.10', '0x7.0.0.10', 'a.7.0.0.10', '-7.0.0.10']) {
      expectReply(server.ask(`${name}.in-addr.arpa. PTR`), { rcode: 'NXDOMAIN', answer: '' });
    }
    for (const name of [`0${nibbles}`, nibbles.replace('a', 'g'), `0.${nibbles}`, nibbles.replace('a', '0')]) {
      expectReply(server.ask(`${name} PTR`), { rcode: 'NXDOMAIN', answer: '' });
    }
    expectReply(server.ask(`${nibbles.toUpperCase()} PTR`), {
      answer: `${nibbles.toUpperCase()} 5 IN PTR web.service.local.`,
    });
  });
});
