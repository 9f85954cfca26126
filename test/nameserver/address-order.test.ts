// address-order.test.ts -- whether there is an address within a range, against looking at all of them

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ipFromBytes } from '../../src/base/ip.ts';
import { seededRandom } from '../../src/base/random.ts';
import { AddressOrder } from '../../src/nameserver/address-order.ts';

describe('addresses in order', () => {
  for (const octets of [4, 16]) {
    it(`tell of every range what looking at all says, with ${octets} octets`, () => {
      const random = seededRandom(octets);
      const order = new AddressOrder();
      const known = new Set<string>();
      // The last two octets count: enough addresses for many parts, few enough to meet again.
      const keyOf = (low: number): string =>
        low
          .toString(16)
          .padStart(4, '0')
          .padStart(octets * 2, '20');
      const textOf = (key: string): string => ipFromBytes(Uint8Array.from(Buffer.from(key, 'hex'))).text;
      const answers = [0, 0];
      for (let step = 0; step < 30_000; step++) {
        const key = keyOf(random.below(1 << 13));
        // More come than go, then more go than come.
        const goes = random.below(4) < (step < 15_000 ? 1 : 3);
        if (goes && known.delete(key)) order.remove(textOf(key));
        if (!goes && !known.has(key)) {
          known.add(key);
          order.add(textOf(key));
        }
        if (step % 20 > 0) continue;
        const low = random.below(1 << 13);
        const [from, to] = [keyOf(low), keyOf(low + random.below(8))];
        const expected = [...known].some((each) => each >= from && each <= to);
        assert.equal(order.hasBetween(from, to), expected, `${from} to ${to} at step ${step}`);
        answers[Number(expected)]!++;
      }
      assert.ok(Math.min(...answers) > 100, answers.join());
      for (const key of known) order.remove(textOf(key));
      assert.equal(order.hasBetween('0'.repeat(octets * 2), 'f'.repeat(octets * 2)), false);
    });
  }

  it('let what is not there be removed', () => {
    const order = new AddressOrder();
    order.remove('10.0.0.1');
    order.add('10.0.0.2');
    order.remove('10.0.0.1');
    order.remove('2001:db8::1');
    assert.equal(order.hasBetween('0a000002', '0a000002'), true);
    assert.equal(order.hasBetween('0a000003', 'ffffffff'), false);
  });
});
