// network-map.test.ts -- what holds for an address, against going through all networks

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type IpPrefix, ipFromBytes, parseIp, parsePrefix, prefixContains } from '../../src/base/ip.ts';
import { ALL_BITS, NetworkMap, SMALLEST } from '../../src/routing/network-map.ts';
import { clientAt } from '../support/routing.ts';

const valuesOf = (networks: Readonly<Record<string, number>>) =>
  Object.entries(networks).map(([text, value]) => ({ prefix: parsePrefix(text)!, value }));

describe('numbers by network', () => {
  const map = new NetworkMap(
    valuesOf({
      '10.0.0.0/8': 1,
      '10.1.0.0/16': 2,
      '10.1.2.0/24': 3,
      '10.1.2.3': 4,
      '0.0.0.0/1': 5,
      '255.255.255.255': 6,
      '::/0': 7,
      '2001:db8::/32': 8,
      'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff': 9,
      '::1': 10,
    }),
    SMALLEST,
  );
  const rows: readonly (readonly [client: string, value: number])[] = [
    ['10.0.0.0', 1],
    ['10.255.255.255', 1],
    ['11.0.0.0', 5],
    ['9.255.255.255', 5],
    ['10.1.0.0', 2],
    ['10.1.2.0', 3],
    ['10.1.2.3', 4],
    ['10.1.2.4', 3],
    ['10.1.3.0', 2],
    ['0.0.0.0', 5],
    ['127.255.255.255', 5],
    ['128.0.0.0', 0],
    ['255.255.255.254', 0],
    ['255.255.255.255', 6],
    ['::', 7],
    ['::1', 10],
    ['::2', 7],
    ['2001:db8:ffff::', 8],
    ['2001:db9::', 7],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe', 7],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 9],
    // Known in part: what holds wherever it may be.
    ['10.1.2.0/24', 0],
    ['10.1.2.4/30', 3],
    ['10.1.2.0/30', 0],
    ['10.2.0.0/15', 1],
    ['10.0.0.0/8', 0],
    ['128.0.0.0/2', 0],
    ['2001:db8::/32', 8],
    ['2001:db8:7::/48', 8],
    ['2001:db8::/31', 0],
  ];
  for (const [client, value] of rows) {
    it(`${client}: ${value}`, () => assert.equal(map.lookup(clientAt(client)), value));
  }

  it('IPv6 networks do not mean IPv4 addresses', () => {
    for (const wide of ['::/0', '::/1', '::/80']) {
      const only = new NetworkMap(valuesOf({ [wide]: 1 }), SMALLEST);
      assert.deepEqual([only.lookup(clientAt('10.0.0.1')), only.lookup(clientAt('::1'))], [0, 1], wide);
    }
    const ipv4 = new NetworkMap(valuesOf({ '0.0.0.0/0': 1 }), SMALLEST);
    assert.deepEqual([ipv4.lookup(clientAt('10.0.0.1')), ipv4.lookup(clientAt('::1'))], [1, 0]);
  });

  it('nothing holds where there are no networks', () => {
    assert.equal(new NetworkMap([], ALL_BITS).lookup(clientAt('10.0.0.1')), 0);
  });

  it('is what going through all networks says', () => {
    // Few different octets, so that networks nest and addresses hit them.
    const octet = fc.constantFrom(0, 1, 127, 128, 254, 255);
    const prefix = fc.oneof(
      fc.record({ bytes: fc.array(octet, { minLength: 4, maxLength: 4 }), length: fc.integer({ min: 0, max: 32 }) }),
      fc.record({ bytes: fc.array(octet, { minLength: 16, maxLength: 16 }), length: fc.integer({ min: 0, max: 128 }) }),
    );
    const networks = fc.array(prefix, { maxLength: 12 });
    const address = fc.oneof(
      fc.array(octet, { minLength: 4, maxLength: 4 }),
      fc.array(octet, { minLength: 16, maxLength: 16 }),
    );
    fc.assert(
      fc.property(networks, fc.array(address, { maxLength: 20 }), (given, addresses) => {
        const all = given.map(({ bytes, length }, i) => ({ prefix: masked(bytes, length), value: 1 << i }));
        const made = new NetworkMap(all, ALL_BITS);
        const edges = all.map(({ prefix: { bytes } }) => [...bytes]);
        for (const octets of [...addresses, ...edges]) {
          const ip = ipFromBytes(Uint8Array.from(octets));
          if (ip.family === 4 && octets.length === 16) continue;
          const expected = all.reduce((bits, each) => (prefixContains(each.prefix, ip) ? bits | each.value : bits), 0);
          assert.equal(made.lookup(clientAt(ip.text)), expected, ip.text);
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** The prefix around an address. */
function masked(octets: readonly number[], length: number): IpPrefix {
  const bytes = Uint8Array.from(octets, (octet, i) => octet & (0xff00 >> Math.max(0, Math.min(8, length - i * 8))));
  return { family: bytes.length === 4 ? 4 : 6, bytes, length };
}

it('a mapped address is the IPv4 address', () => {
  const map = new NetworkMap(valuesOf({ '10.0.0.0/8': 1 }), SMALLEST);
  assert.equal(parseIp('::ffff:10.0.0.1')!.family, 4);
  assert.equal(map.lookup(clientAt('::ffff:10.0.0.1')), 1);
});
