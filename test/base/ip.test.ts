// ip.test.ts -- addresses, prefixes and endpoints: only the spellings an operator would write

import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  anyPrefixContains,
  formatEndpoint,
  ipFromBytes,
  isLoopback,
  isUnspecified,
  parseEndpoint,
  parseIp,
  parseNetwork,
  parsePrefix,
  prefixContains,
} from '../../src/base/ip.ts';

describe('addresses', () => {
  // The last rows are those of RFC 5952 sections 4 and 5.
  const rows: readonly [text: string, canonical: string, family: 4 | 6][] = [
    ['0.0.0.0', '0.0.0.0', 4],
    ['255.255.255.255', '255.255.255.255', 4],
    ['10.0.0.1', '10.0.0.1', 4],
    ['::ffff:10.0.0.1', '10.0.0.1', 4],
    ['::FFFF:0a00:0001', '10.0.0.1', 4],
    ['0:0:0:0:0:ffff:10.0.0.1', '10.0.0.1', 4],
    ['::', '::', 6],
    ['::1', '::1', 6],
    ['1::', '1::', 6],
    ['2001:db8::192.0.2.33', '2001:db8::c000:221', 6],
    ['2001:0db8::0001', '2001:db8::1', 6],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1', 6],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1', 6],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1', 6],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1', 6],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1', 6],
    ['2001:DB8::AbCd', '2001:db8::abcd', 6],
  ];
  for (const [text, canonical, family] of rows) {
    it(text, () => {
      const address = parseIp(text)!;
      assert.deepEqual(
        [address.text, address.family, address.bytes.length],
        [canonical, family, family === 4 ? 4 : 16],
      );
      assert.deepEqual(parseIp(address.text), address);
      assert.deepEqual(ipFromBytes(address.bytes), address);
    });
  }

  const refused = [
    '',
    ' 10.0.0.1',
    '10.0.0.1 ',
    '10.0.0.1\n',
    '10.0.0',
    '10.1',
    '167772161',
    '10.0.0.0.1',
    '10.0.0.256',
    '10.0.0.-1',
    '010.0.0.1',
    '10.0.0.01',
    '10.0.0.00',
    '0x0a.0.0.1',
    '0x7f000001',
    '1e1.0.0.1',
    '１0.0.0.1',
    '10.0.0.1/32',
    '10.0.0.1:53',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '1:2:3:4:5:6:7::8:9',
    '1:2:3:4:5:6:7:8::',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    'g::',
    '12345::',
    '00001::',
    '::1%eth0',
    'fe80::1%1',
    '[::1]',
    '::1/128',
    '::10.0.0.256',
    '::010.0.0.1',
    '::10.0.1',
    '::0x0a.0.0.1',
    '::ffff:0x7f.1',
    '1.2.3.4::',
    '::1.2.3.4:5',
    'localhost',
  ];
  for (const text of refused) it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseIp(text), undefined));

  it('agrees with Node on what is an address, zone ids apart', () => {
    const part = fc.constantFrom(
      '0',
      '1',
      '10',
      '255',
      '256',
      '01',
      'ffff',
      'FFFF',
      '00ab',
      'abcde',
      '',
      '::',
      '1.2.3.4',
    );
    const text = fc
      .array(fc.tuple(part, fc.constantFrom(':', '::', '.', '')), { maxLength: 9 })
      .map((parts) => parts.map((pair) => pair.join('')).join(''));
    fc.assert(
      fc.property(fc.oneof(text, fc.ipV4(), fc.ipV6()), (each) => {
        assert.equal(parseIp(each) !== undefined, isIP(each) !== 0, each);
      }),
      { numRuns: 5000 },
    );
  });

  it('any octets survive being written and read', () => {
    const octets = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.array(fc.constantFrom(0, 0, 1, 255), { minLength: 16, maxLength: 16 }).map((all) => Uint8Array.from(all)),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
    );
    fc.assert(
      fc.property(octets, (bytes) => {
        const address = ipFromBytes(bytes);
        assert.deepEqual(parseIp(address.text), address);
        assert.notEqual(isIP(address.text), 0);
      }),
    );
  });

  it('have 4 or 16 octets', () => {
    for (const length of [0, 3, 5, 15, 17]) assert.throws(() => ipFromBytes(new Uint8Array(length)), RangeError);
  });
});

describe('prefixes', () => {
  const inside: readonly [prefix: string, address: string, expected: boolean][] = [
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['10.0.0.0/9', '10.127.255.255', true],
    ['10.0.0.0/9', '10.128.0.0', false],
    ['0.0.0.0/0', '255.255.255.255', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '::1', true],
    ['::/0', '1.2.3.4', false],
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.0', false],
    ['10.0.0.1/32', '10.0.0.1', true],
    ['2001:db8::/33', '2001:db8:7fff::', true],
    ['2001:db8::/33', '2001:db8:8000::', false],
    ['::1/128', '::1', true],
    ['::1/128', '::2', false],
  ];
  for (const [prefix, address, expected] of inside) {
    it(`${address} is ${expected ? '' : 'not '}in ${prefix}`, () => {
      assert.equal(prefixContains(parsePrefix(prefix)!, parseIp(address)!), expected);
    });
  }

  for (const text of [
    '',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/+8',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '10.0.0.0/255.0.0.0',
    '10.0.0.1/8',
    '10.0.0.0/6',
    '10/8',
    '::/129',
    '::1/127',
    'fe80::1%eth0/64',
    '::ffff:10.0.0.0/104',
    '::ffff:10.0.0.0/8',
  ]) {
    it(`refuses '${text}'`, () => assert.equal(parsePrefix(text), undefined));
  }

  it('a prefix holds exactly the addresses that share its bits', () => {
    const address = fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .map((bytes) => ({ bytes, family: 6 as const, text: '' }));
    const bitsOf = (bytes: Uint8Array): string =>
      [...bytes].map((octet) => octet.toString(2).padStart(8, '0')).join('');
    fc.assert(
      fc.property(address, address, fc.nat(128), fc.nat(128), (one, other, length, shared) => {
        // The other shares at least `shared` bits, so that both outcomes happen.
        const bits = bitsOf(one.bytes).slice(0, shared) + bitsOf(other.bytes).slice(shared);
        const near = { ...other, bytes: Uint8Array.from(bits.match(/.{8}/g)!, (octet) => Number.parseInt(octet, 2)) };
        const expected = bits.slice(0, length) === bitsOf(one.bytes).slice(0, length);
        assert.equal(prefixContains({ family: 6, bytes: one.bytes, length }, near), expected);
      }),
    );
  });

  const classes: readonly [name: string, within: readonly string[], without: readonly string[]][] = [
    ['loopback', ['127.0.0.1', '127.255.255.255', '::1', '::ffff:127.0.0.1'], ['128.0.0.1', '::2', '126.0.0.1']],
    ['private', ['10.1.1.1', '172.31.0.1', '192.168.0.1', 'fd00::1'], ['172.32.0.1', '172.15.0.1', 'fe00::']],
    ['link-local', ['169.254.169.254', 'fe80::1', 'febf::1'], ['169.253.0.1', 'fec0::1']],
    ['multicast', ['224.0.0.1', '239.0.0.1', 'ff02::1'], ['240.0.0.1', '223.0.0.1']],
    ['unspecified', ['0.0.0.0', '0.1.2.3', '::'], ['1.0.0.0', '::1']],
    ['10.0.0.0/8', ['10.0.0.1'], ['11.0.0.1']],
  ];
  for (const [name, within, without] of classes) {
    it(`network '${name}'`, () => {
      const network = parseNetwork(name)!;
      for (const text of within) assert.equal(anyPrefixContains(network, parseIp(text)!), true, text);
      for (const text of without) assert.equal(anyPrefixContains(network, parseIp(text)!), false, text);
    });
  }

  it('there is no network of another name', () => {
    for (const text of ['', 'public', 'Loopback', 'constructor', '__proto__', 'toString']) {
      assert.equal(parseNetwork(text), undefined, text);
    }
    assert.equal(anyPrefixContains([], parseIp('::1')!), false);
  });

  it('know this machine and no machine', () => {
    assert.deepEqual(
      ['127.0.0.2', '::1', '10.0.0.1'].map((text) => isLoopback(parseIp(text)!)),
      [true, true, false],
    );
    assert.deepEqual(
      ['0.0.0.0', '::', '::1'].map((text) => isUnspecified(parseIp(text)!)),
      [true, true, false],
    );
  });
});

describe('endpoints', () => {
  for (const [text, address, port] of [
    ['127.0.0.1:53', '127.0.0.1', 53],
    ['0.0.0.0:0', '0.0.0.0', 0],
    ['[::1]:65535', '::1', 65535],
    ['[2001:DB8:0::1]:8600', '2001:db8::1', 8600],
  ] as const) {
    it(text, () => {
      const endpoint = parseEndpoint(text)!;
      assert.deepEqual(endpoint, { address, port });
      assert.deepEqual(parseEndpoint(formatEndpoint(endpoint)), endpoint);
    });
  }

  for (const text of [
    '',
    '127.0.0.1',
    '127.0.0.1:',
    ':53',
    '127.0.0.1:65536',
    '127.0.0.1:053',
    '127.0.0.1:+53',
    '127.0.0.1:53 ',
    '::1:53',
    '[127.0.0.1]:53',
    '[::1]',
    '[::1]53',
    '[::ffff:127.0.0.1]:53',
    '[fe80::1%eth0]:53',
    'localhost:53',
  ]) {
    it(`refuses '${text}'`, () => assert.equal(parseEndpoint(text), undefined));
  }

  it('writes IPv6 in brackets', () => {
    assert.equal(formatEndpoint({ address: '::1', port: 53 }), '[::1]:53');
    assert.equal(formatEndpoint({ address: '10.0.0.1', port: 53 }), '10.0.0.1:53');
  });
});
