// lease-pages.test.ts -- what is packed comes out again, and every page is used

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PAGES, packLeases, pageOf, registrationMark, unpackLeases } from '../../src/registry/lease-pages.ts';

const id = fc.stringMatching(/^[A-Za-z0-9._:@-]{1,128}$/);
const lease = fc.record(
  { expiresAtMs: fc.maxSafeNat(), registered: fc.maxSafeNat().map(registrationMark) },
  { noNullPrototype: true },
);

describe('a page of leases', () => {
  it('comes out as it was packed', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(id, lease)), (entries) => {
        const leases = new Map(entries);
        assert.deepEqual(unpackLeases(packLeases(leases)), leases);
      }),
    );
  });
  it('rounds the end up to whole milliseconds', () => {
    const packed = packLeases(new Map([['a', { expiresAtMs: 10.2, registered: '7' }]]));
    assert.deepEqual(unpackLeases(packed), new Map([['a', { expiresAtMs: 11, registered: '7' }]]));
  });
  it('is read without the lines that make no sense', () => {
    const text = 'a 1 2\n\nb\nc 1\nd 1 2 3\ne $ 2\n 1 2\ng 1 \n__proto__ 1 2\nf z z\n';
    assert.deepEqual([...unpackLeases(text).keys()], ['a', '__proto__', 'f']);
    assert.deepEqual(unpackLeases('').size, 0);
  });
  it('holds about as many as any other', () => {
    const counts = new Array<number>(PAGES).fill(0);
    for (let i = 0; i < 100_000; i++) counts[pageOf(`cart-service-${i}`)]! += 1;
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    assert.ok(least > 250 && most < 550, `${least} to ${most} of 390`);
  });
});
