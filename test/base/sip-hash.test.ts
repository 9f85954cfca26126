// sip-hash.test.ts -- SipHash-2-4 against the reference vectors, and against the definition in 64-bit words

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SipHash } from '../../src/base/sip-hash.ts';
import { hexOf } from '../support/wire.ts';

const MASK = (1n << 64n) - 1n;

/** As the paper defines it. */
function defined(key: Uint8Array, input: Uint8Array): string {
  const k = [Buffer.from(key).readBigUInt64LE(0), Buffer.from(key).readBigUInt64LE(8)] as const;
  const v = [k[0] ^ 0x736f6d6570736575n, k[1] ^ 0x646f72616e646f6dn, k[0] ^ 0x6c7967656e657261n];
  v.push(k[1] ^ 0x7465646279746573n);
  const padded = Buffer.alloc(Math.floor(input.length / 8) * 8 + 8);
  padded.set(input);
  padded[padded.length - 1] = input.length & 0xff;
  const turn = (word: bigint, bits: bigint): bigint => ((word << bits) | (word >> (64n - bits))) & MASK;
  const mixIn = (to: number, from: number, bits: bigint): void => {
    v[to] = (v[to]! + v[from]!) & MASK;
    v[from] = turn(v[from]!, bits) ^ v[to]!;
  };
  const round = (): void => {
    mixIn(0, 1, 13n);
    v[0] = turn(v[0]!, 32n);
    mixIn(2, 3, 16n);
    mixIn(0, 3, 21n);
    mixIn(2, 1, 17n);
    v[2] = turn(v[2]!, 32n);
  };
  for (let at = 0; at < padded.length; at += 8) {
    const word = padded.readBigUInt64LE(at);
    v[3]! ^= word;
    round();
    round();
    v[0]! ^= word;
  }
  v[2]! ^= 0xffn;
  for (let i = 0; i < 4; i++) round();
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(v.reduce((all, each) => all ^ each, 0n));
  return out.toString('hex');
}

function hashed(key: Uint8Array, input: Uint8Array): string {
  const hash = new SipHash(key);
  hash.hash(input, input.length);
  const out = Buffer.alloc(8);
  out.writeInt32LE(hash.low, 0);
  out.writeInt32LE(hash.high, 4);
  return hexOf(out);
}

describe('SipHash-2-4', () => {
  const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);

  it('gives the reference vectors: the key 00 01 .. 0f over 00, 00 01, 00 01 02 ...', () => {
    const vectors: readonly (readonly [length: number, hash: string])[] = [
      [0, '310e0edd47db6f72'],
      [1, 'fd67dc93c539f874'],
      [2, '5a4fa9d909806c0d'],
      [3, '2d7efbd796666785'],
      [4, 'b7877127e09427cf'],
      [5, '8da699cd64557618'],
      [6, 'cee3fe586e46c9cb'],
      [7, '37d1018bf50002ab'],
      [8, '6224939a79f5f593'],
      [15, 'e545be4961ca29a1'],
      [63, '724506eb4c328a95'],
    ];
    for (const [length, hash] of vectors) {
      assert.equal(
        hashed(
          KEY,
          Uint8Array.from({ length }, (_, i) => i),
        ),
        hash,
        `${length} octets`,
      );
    }
  });

  it('is what is defined, for any key and input, and looks at no more than it is told to', () => {
    const key = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(key, fc.uint8Array({ maxLength: 300 }), (k, input) => {
        assert.equal(hashed(k, input), defined(k, input));
        const hash = new SipHash(k);
        hash.hash(Uint8Array.from([...input, 0xff, 0xff]), input.length);
        const { low, high } = hash;
        hash.hash(input, input.length);
        assert.deepEqual([hash.low, hash.high], [low, high]);
      }),
      { seed: 9018, numRuns: 300 },
    );
  });

  it('takes keys of 16 octets only', () => {
    for (const length of [0, 15, 17]) assert.throws(() => new SipHash(new Uint8Array(length)), RangeError);
  });
});
