// plain-query.test.ts -- which queries are plain, and that names are the same whatever their letter case

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Edns, EdnsOption } from '../../src/dns/edns.ts';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { foldOctet, type Name, parseName } from '../../src/dns/name.ts';
import { PlainQuery } from '../../src/nameserver/plain-query.ts';

const EDNS = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: true, options: [] };

function encoded(name: Name, edns?: Edns): Uint8Array {
  return encodeMessage(queryMessage(7, { name, type: 33, class: 1 }, edns));
}

describe('a plain query', () => {
  it('is read with its type, EDNS and end', () => {
    const query = new PlainQuery();
    const plain = encoded(parseName('a.example.'));
    assert.equal(query.read(plain, plain.length), true);
    const { type, nameLength, end, hasEdns } = query;
    assert.deepEqual([type, nameLength, end, hasEdns], [33, 11, plain.length, false]);
    const withEdns = encoded(parseName('a.example.'), EDNS);
    assert.equal(query.read(withEdns, withEdns.length), true);
    assert.deepEqual([query.hasEdns, query.udpSize, query.dnssecOk, query.end], [true, 1232, true, plain.length]);
  });

  it('may have a cookie as its only option, of the lengths that clients send', () => {
    const read = (length: number, code = 10, more: EdnsOption[] = []): PlainQuery | undefined => {
      const option = { code, data: Uint8Array.from({ length }, (_, i) => i + 1) };
      const bytes = encoded(parseName('a.example.'), { ...EDNS, options: [option, ...more] });
      const query = new PlainQuery();
      if (!query.read(bytes, bytes.length)) return undefined;
      assert.deepEqual(bytes.subarray(query.cookieAt, query.cookieAt + query.cookieLength), option.data);
      return query;
    };
    for (const length of [8, 24]) {
      const query = read(length)!;
      assert.deepEqual([query.cookieLength, query.hasEdns, query.udpSize, query.dnssecOk], [length, true, 1232, true]);
      assert.equal(read(length, 11), undefined, 'another option');
      assert.equal(read(length, 10, [{ code: 3, data: new Uint8Array(0) }]), undefined, 'two options');
      assert.equal(read(length - 4, 10, [{ code: 3, data: new Uint8Array(0) }]), undefined, 'two that are as long');
    }
    for (const length of [0, 7, 9, 12, 16, 23, 25, 28, 40]) assert.equal(read(length), undefined, `${length} octets`);
    const query = read(8)!;
    const plain = encoded(parseName('a.example.'), EDNS);
    assert.equal(query.read(plain, plain.length), true);
    assert.equal(query.cookieLength, 0, 'the next query has none');
  });

  it('has its name folded as octet by octet, and hashed alike in any letter case', () => {
    const label = fc.uint8Array({ minLength: 1, maxLength: 63 });
    const labels = fc
      .array(label, { maxLength: 6 })
      .filter((all) => all.reduce((sum, { length }) => sum + length + 1, 1) <= 255);
    fc.assert(
      fc.property(labels, fc.infiniteStream(fc.boolean()), (all, flips) => {
        const name = Uint8Array.from([...all.flatMap((each) => [each.length, ...each]), 0]) as Name;
        const other = name.slice() as Name;
        let left = 0;
        for (let i = 0; i < other.length - 1; i++) {
          if (left-- === 0) left = other[i]!;
          else if (/[a-z]/i.test(String.fromCharCode(other[i]!)) && flips.next().value) other[i]! ^= 0x20;
        }
        const [query, flipped] = [new PlainQuery(), new PlainQuery()];
        const bytes = encoded(name);
        assert.ok(query.read(bytes, bytes.length), 'the name as it is');
        assert.ok(flipped.read(encoded(other), bytes.length), 'in another case');
        assert.equal(flipped.hash, query.hash);
        const octets = Array.from(name, (_, i) => (query.folded[i >> 2]! >>> ((i & 3) * 8)) & 0xff);
        assert.deepEqual(octets, Array.from(name, foldOctet));
        const words = (name.length + 3) >> 2;
        assert.deepEqual(flipped.folded.slice(0, words), query.folded.slice(0, words));
      }),
      { seed: 20260101, numRuns: 300 },
    );
  });

  const broken: readonly [string, (bytes: Uint8Array) => Uint8Array][] = [
    ['cut off', (bytes) => bytes.subarray(0, bytes.length - 1)],
    ['with something behind it', (bytes) => Uint8Array.from([...bytes, 0])],
    ['a response', (bytes) => bytes.with(2, 0x80)],
    ['with another opcode', (bytes) => bytes.with(2, 0x28)],
    ['with two questions', (bytes) => bytes.with(5, 2)],
    ['with an answer', (bytes) => bytes.with(7, 1)],
    ['with two additional records', (bytes) => bytes.with(11, 2)],
    ['with a compressed name', (bytes) => bytes.with(12, 0xc0)],
    ['with a label that leads out', (bytes) => bytes.with(12, 63)],
    ['of class CH', (bytes) => bytes.with(bytes.length - 1, 3)],
  ];
  for (const [what, breakIt] of broken) {
    it(`${what} is left to the general path`, () => {
      const bytes = breakIt(encoded(parseName('a.example.')));
      assert.equal(new PlainQuery().read(bytes, bytes.length), false);
    });
  }
});
