// client.test.ts -- senders as octets, from text and from what the system writes

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AddressClient } from '../../src/nameserver/client.ts';
import { SockaddrClient } from '../../src/net/sockaddr-client.ts';

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const MAPPED = '00000000000000000000ffff';

describe('a client', () => {
  const rows: readonly (readonly [text: string, octets: string])[] = [
    ['127.0.0.1', `${MAPPED}7f000001`],
    ['255.255.255.255', `${MAPPED}ffffffff`],
    ['::ffff:10.0.0.1', `${MAPPED}0a000001`],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['fe80::1%eth0', 'fe800000000000000000000000000001'],
    ['::', '0'.repeat(32)],
    // A socket that is closed already does not know.
    ['', `${MAPPED}00000000`],
  ];
  for (const [text, octets] of rows) {
    it(`at ${text} is ${octets}`, () => assert.equal(hex(new AddressClient(text).octets()), octets));
  }

  it('is used again for the next', () => {
    const client = new AddressClient();
    const got = ['10.0.0.1', '2001:db8::1', '10.0.0.2'].map((text) => {
      client.text = text;
      return hex(client.octets());
    });
    assert.deepEqual(got, [`${MAPPED}0a000001`, '20010db8000000000000000000000001', `${MAPPED}0a000002`]);
  });

  it('is read from its own place in a slab of socket addresses', () => {
    const slab = new Uint8Array(64);
    slab.set([2, 0, 0x30, 0x39, 10, 0, 0, 1], 0);
    slab.set([2, 0, 0x30, 0x39, 10, 0, 0, 2], 32);
    const ipv4 = new SockaddrClient(slab, 4);
    assert.equal(hex(ipv4.octets()), `${MAPPED}0a000001`);
    ipv4.at = 32;
    assert.equal(hex(ipv4.octets()), `${MAPPED}0a000002`);
    slab.set([10, 0, 0x30, 0x39, 9, 9, 9, 9, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7], 32);
    const ipv6 = new SockaddrClient(slab, 6);
    ipv6.at = 32;
    assert.equal(hex(ipv6.octets()), '20010db8000000000000000000000001');
  });
});
