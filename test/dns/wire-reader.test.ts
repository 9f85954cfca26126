// wire-reader.test.ts -- the cursor over a message: bounds, compression pointers, budgets

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeMessage } from '../../src/dns/message.ts';
import { formatName } from '../../src/dns/name.ts';
import { readRequest } from '../../src/dns/request.ts';
import { WireError } from '../../src/dns/wire-error.ts';
import { WireReader } from '../../src/dns/wire-reader.ts';
import { bytes, octets } from '../support/wire.ts';

function refuses(work: () => unknown, message: RegExp): void {
  assert.throws(work, (thrown) => thrown instanceof WireError && thrown.rcode === 1 && message.test(thrown.message));
}

describe('numbers and octets', () => {
  it('are big-endian and move the offset', () => {
    const reader = new WireReader(bytes('01 0203 fffefdfc 0506'), 0);
    assert.deepEqual([reader.u8(), reader.u16(), reader.u32()], [1, 0x0203, 0xfffefdfc]);
    assert.deepEqual([...reader.octets(1)], [5]);
    reader.skip(1);
    assert.equal(reader.remaining, 0);
  });

  for (const [what, read] of [
    ['u8', (reader: WireReader) => reader.u8()],
    ['u16', (reader: WireReader) => reader.u16()],
    ['u32', (reader: WireReader) => reader.u32()],
    ['octets', (reader: WireReader) => reader.octets(4)],
    ['skip', (reader: WireReader) => reader.skip(4)],
    ['name', (reader: WireReader) => reader.name()],
  ] as const) {
    it(`${what} past the end is FORMERR`, () => {
      for (let length = 0; length < 4; length++) {
        const reader = new WireReader(bytes('033f3f'), Math.min(length, 3));
        if (what === 'u8' && length < 3) continue;
        if (what === 'u16' && length < 2) continue;
        refuses(() => read(reader), /cut short|past the end/);
      }
    });
  }

  it('errors carry no stack, so that floods stay cheap', () => {
    try {
      new WireReader(bytes('')).u8();
      assert.fail('read past the end');
    } catch (thrown) {
      assert.doesNotMatch((thrown as Error).stack ?? '', /\n\s+at /);
    }
    assert.match(new Error('x').stack!, /\n\s+at /, 'others keep theirs');
  });
});

describe('names', () => {
  const good: readonly [what: string, message: string, at: number, text: string, end: number][] = [
    ['the root', '00', 0, '.', 1],
    ['plain', '0161026262 00', 0, 'a.bb.', 6],
    ['a pointer to the root', '00 c000', 1, '.', 3],
    ['a pointer backwards', '016100 c000', 3, 'a.', 5],
    ['labels, then a pointer', '016100 0162c000', 3, 'b.a.', 7],
    ['a pointer to a pointer', '016100 c000 c003', 5, 'a.', 7],
    ['a pointer into the middle', '016101620000 c002', 6, 'b.', 8],
    ['a label that looks like a pointer', '02c00000 00', 0, '\\192\\000.', 4],
  ];
  for (const [what, message, at, text, end] of good) {
    it(what, () => {
      const reader = new WireReader(bytes(message), at);
      assert.equal(formatName(reader.name()), text);
      assert.equal(reader.offset, end);
    });
  }

  const bad: readonly [what: string, message: string, at: number, error: RegExp][] = [
    ['nothing at all', '', 0, /past the end/],
    ['no root at the end', '0161', 0, /label runs past the end/],
    ['a label past the end', '0561', 0, /label runs past the end/],
    ['half a pointer', '00 c0', 1, /bad compression/],
    ['a pointer to itself', 'c000', 0, /backwards/],
    ['a pointer forwards', 'c002 00', 0, /backwards/],
    ['a pointer past the end', 'ffff 00', 0, /backwards/],
    ['two pointers in a circle', 'c002 c000', 2, /backwards/],
    ['a pointer into the own labels', '0161 c000', 0, /backwards/],
    ['labels leading back into the own pointer', '0161 c000', 2, /backwards/],
    ['a longer circle', '0161 c006 0162 c000', 4, /backwards/],
    ['label type 01', '4100', 0, /label type/],
    ['label type 10', '8000', 0, /label type/],
    ['label type 01 behind a pointer', '4100 c000', 2, /label type/],
  ];
  for (const [what, message, at, error] of bad) {
    it(`${what} is FORMERR`, () => refuses(() => new WireReader(bytes(message), at).name(), error));
  }

  it('have 255 octets at most, compressed or not', () => {
    const label = octets(63, '61'.repeat(63));
    const short = octets(60, '62'.repeat(60));
    const fits = octets(label, label, label, octets(61, '62'.repeat(61)), 0);
    assert.equal(new WireReader(fits).name().length, 255);
    refuses(() => new WireReader(octets(label, label, label, label, 0)).name(), /255/);
    refuses(() => new WireReader(octets('0161', label, label, label, short, 0)).name(), /255/);
    const pointed = octets(label, label, label, 0, octets(61, '62'.repeat(61)), 'c000');
    assert.equal(new WireReader(pointed, 193).name().length, 255);
    const pointedTooLong = octets(label, label, label, 0, octets(62, '62'.repeat(62)), 'c000');
    refuses(() => new WireReader(pointedTooLong, 193).name(), /255/);
  });

  it('may be asked for without pointers (RFC 3597 section 4)', () => {
    assert.equal(formatName(new WireReader(bytes('016100')).name(false)), 'a.');
    refuses(() => new WireReader(bytes('016100 c000'), 3).name(false), /bad compression/);
    refuses(() => new WireReader(bytes('016100 0162c000'), 3).name(false), /bad compression/);
  });

  it('are the same each time the same pointer is read, and do not change with the message', () => {
    const message = bytes('016100 c000 c000');
    const reader = new WireReader(message, 3);
    const [first, second] = [reader.name(), reader.name()];
    message.fill(0x3f);
    assert.deepEqual([formatName(first), formatName(second), reader.offset], ['a.', 'a.', 7]);
  });

  it('the remembered pointer does not let one through where pointers are refused', () => {
    const reader = new WireReader(bytes('016100 c000 c000'), 3);
    reader.name();
    refuses(() => reader.name(false), /bad compression/);
  });
});

/** A 64 KiB response: a question for the root, then what `fill` gives, as records of an opaque type. */
function hostile(fill: (at: number) => Uint8Array): { message: Uint8Array; count: number } {
  const parts: Uint8Array[] = [];
  let length = 17;
  let count = 0;
  for (;;) {
    const next = fill(length);
    if (length + next.length > 65535) break;
    parts.push(next);
    length += next.length;
    count++;
  }
  const header = octets('0000 8000 0001', count >> 8, count & 255, '0000 0000', '00 0001 0001');
  return { message: octets(header, ...parts), count };
}

const pointer = (to: number): Uint8Array => Uint8Array.of(0xc0 | (to >> 8), to & 0xff);
const TAIL = '000a 0001 00000000';

/** How many names were made for the owners of a message. */
function ownersMade(message: Uint8Array): number {
  return new Set(decodeMessage(message).answers.map(({ name }) => name)).size;
}

describe('work is bounded by the length of the message', () => {
  it('chained pointers: every record begins one pointer further back', () => {
    // 8,000 pointers in the first record's RDATA, each to the one before; every later owner walks all of them.
    let chainEnd = 0;
    const { message, count } = hostile((at) => {
      if (at > 17) return octets(pointer(chainEnd - (at & 0x1ffe)), TAIL, '0000');
      const chain: Uint8Array[] = [];
      for (let i = 0; i < 8000; i++) chain.push(pointer(i === 0 ? 12 : at + 11 + 2 * (i - 1)));
      chainEnd = at + 11 + 2 * 7999;
      return octets(0, TAIL, 16000 >> 8, 16000 & 255, ...chain);
    });
    assert.ok(count > 4000);
    refuses(() => decodeMessage(message), /too much compression/);
  });

  for (const [what, lengths] of [
    ['127 labels', Array<number>(127).fill(1)],
    ['four labels', [63, 63, 63, 61]],
  ] as const) {
    it(`names of 255 octets in ${what}, every owner by a pointer of its own`, () => {
      const long = octets(...lengths.map((length) => octets(length, '61'.repeat(length))), 0);
      const pointers = 3500;
      let next = 0;
      const { message, count } = hostile((at) => {
        if (at === 17) return octets(long, TAIL, (pointers * 2) >> 8, (pointers * 2) & 255, 'c011'.repeat(pointers));
        return octets(pointer(17 + 255 + 10 + 2 * next++), TAIL, '0000');
      });
      assert.ok(count > 3000 && next <= pointers + 1500);
      refuses(() => decodeMessage(message), /too much compression/);
    });
  }

  it('the same long name again and again is expanded once', () => {
    const long = octets(...[63, 63, 63, 61].map((length) => octets(length, '61'.repeat(length))), 0);
    const { message, count } = hostile((at) => octets(at === 17 ? long : pointer(17), TAIL, '0000'));
    assert.ok(count > 5000);
    assert.equal(ownersMade(message), 2, 'as written, and as pointed to');
  });

  it('an honest transfer of 64 KiB passes: IPv6 reverse names, 34 labels each', () => {
    const apex = octets(...Array.from({ length: 16 }, () => bytes('0130')), octets(3, '697036', 4, '61727061', 0));
    let n = 0;
    const { message, count } = hostile((at) => {
      if (at === 17) return octets(apex, TAIL, '0000');
      const own = octets(...Array.from({ length: 16 }, (_, i) => octets(1, 0x30 + ((n >> i) & 7))), pointer(17));
      n++;
      return octets(own, '000c 0001 00000005 0006', '03', '686f73', pointer(17));
    });
    assert.ok(count > 1000);
    assert.equal(decodeMessage(message).answers.length, count);
  });

  it('an honest transfer of 64 KiB passes: one own label, a long apex, 4 octets of data', () => {
    const apex = octets(...Array.from({ length: 33 }, () => bytes('0130')), 0);
    let n = 0;
    const { message, count } = hostile((at) => {
      if (at === 17) return octets(apex, TAIL, '0000');
      n++;
      return octets(3, 0x61 + (n >> 8), n & 255, 0x2d, pointer(17), '0001 0001 00000005 0004 7f000001');
    });
    assert.ok(count > 3000);
    assert.equal(decodeMessage(message).answers.length, count);
  });

  it('a query: nothing but its few records is ever walked', () => {
    const options = octets('00 0029 04d0 00000000', 16000 >> 8, 16000 & 255, '0000 0000'.repeat(4000));
    const message = octets('0001 0000 0001 0000 0000 0001', '00 0001 0001', options);
    assert.equal(readRequest(message)?.rcode, 1);
    const many = octets('0001 0000 0001 0000 0000 ffff', '00 0001 0001', '00 0001 0001 00000000 0000'.repeat(5900));
    assert.equal(readRequest(many)?.rcode, 1);
  });
});
