// client-hash.test.ts -- hashes of clients: the same for ever, distinct, and evenly spread

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hashClient, pointOf, saltOf } from '../../src/routing/client-hash.ts';
import { clientAt } from '../support/routing.ts';

const hashOf = (address: string): number => hashClient(clientAt(address).octets());

describe('the hash of a client', () => {
  // What was handed out by one version must not move with the next.
  const rows: readonly (readonly [address: string, hash: number])[] = [
    ['127.0.0.1', 0x484ef0fa],
    ['10.0.0.1', 0x2f5070b3],
    ['10.0.0.2', 0x81a1ee12],
    ['::', 0x8134cdf8],
    ['2001:db8::1', 0x16e0e416],
  ];
  for (const [address, hash] of rows) {
    it(`of ${address} is ${hash.toString(16)}`, () => assert.equal(hashOf(address).toString(16), hash.toString(16)));
  }

  it('is another for every IPv4 address of a network', () => {
    const hashes = new Set(Array.from({ length: 65536 }, (_, i) => hashOf(`10.9.${i >> 8}.${i & 255}`)));
    assert.equal(hashes.size, 65536);
  });

  it('is spread evenly, also over clients that differ in a few bits only', () => {
    for (const addressOf of [
      (i: number) => `10.9.${i >> 8}.${i & 255}`,
      (i: number) => `2001:db8:0:${i.toString(16)}::1`,
    ]) {
      const counts = new Array<number>(64).fill(0);
      for (let i = 0; i < 65536; i++) counts[hashOf(addressOf(i)) >>> 26]!++;
      const chiSquare = counts.reduce((sum, count) => sum + (count - 1024) ** 2 / 1024, 0);
      // 63 degrees of freedom: one in a million lies above.
      assert.ok(chiSquare < 132, `chi-square ${chiSquare}`);
    }
  });
});

describe('the point of a client', () => {
  it('in one matter says nothing of that in another', () => {
    const [a, b] = [saltOf('cart'), saltOf('card')];
    let both = 0;
    for (let i = 0; i < 65536; i++) {
      const hash = hashOf(`10.9.${i >> 8}.${i & 255}`);
      if (pointOf(hash, a) < 2 ** 30 && pointOf(hash, b) < 2 ** 30) both++;
    }
    assert.ok(Math.abs(both - 4096) < 400, `${both} of 65536 are in both quarters`);
  });
});
