// wire-writer.test.ts -- writing, compression, limits and going back

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TYPE } from '../../src/dns/codes.ts';
import { writeRecord } from '../../src/dns/message.ts';
import { formatName, type Name, parseName, ROOT } from '../../src/dns/name.ts';
import { WireReader } from '../../src/dns/wire-reader.ts';
import { WireWriter } from '../../src/dns/wire-writer.ts';
import { hexOf, records } from '../support/wire.ts';

function written(names: readonly string[]): string {
  const writer = new WireWriter(new Uint8Array(4096));
  for (const name of names) writer.name(parseName(name), true);
  return hexOf(writer.written());
}

describe('numbers and octets', () => {
  it('are big-endian', () => {
    const writer = new WireWriter(new Uint8Array(16));
    writer.u8(1);
    writer.u16(0x0203);
    writer.u32(0xfffefdfc);
    writer.octets(Uint8Array.of(4, 5));
    writer.patchU16(1, 0x0908);
    assert.equal(hexOf(writer.written()), '010908fffefdfc0405');
  });

  it('never go past the limit, and what does not fit is left out whole', () => {
    for (let limit = 0; limit < 7; limit++) {
      const bytes = new Uint8Array(16).fill(0xee);
      const writer = new WireWriter(bytes, 2, 2 + limit);
      writer.u16(1);
      writer.u32(2);
      writer.octets(Uint8Array.of(3));
      assert.equal(writer.overflowed, limit < 7);
      assert.ok(
        bytes.subarray(2 + limit).every((octet) => octet === 0xee),
        `limit ${limit}`,
      );
      assert.ok(writer.offset <= 2 + limit);
    }
  });

  it('a growing writer never overflows', () => {
    const writer = WireWriter.growing(1);
    for (let i = 0; i < 1000; i++) writer.u16(i);
    writer.octets(new Uint8Array(70_000));
    assert.deepEqual([writer.written().length, writer.overflowed], [72_000, false]);
    assert.equal(new WireReader(writer.written(), 1998).u16(), 999);
  });
});

describe('compression', () => {
  const rows: readonly [what: string, names: readonly string[], wire: string][] = [
    ['the root is one octet', ['.', '.'], '0000'],
    ['the same name', ['a.b.', 'a.b.'], '0161016200 c000'],
    ['case is ignored, and kept where it was written', ['A.b.', 'a.B.'], '0141016200 c000'],
    ['the longest suffix', ['a.b.c.', 'x.b.c.', 'y.x.b.c.'], '016101620163 00 0178c002 0179c007'],
    ['a suffix that ends in a pointer', ['a.b.', 'c.a.b.', 'd.c.a.b.'], '0161016200 0163c000 0164c005'],
    ['nothing in common', ['a.', 'b.'], '016100 016200'],
    ['labels with dots are not two labels', ['a\\.b.', 'b.', 'a.b.'], '03612e6200 016200 0161c005'],
    ['not itself', ['a.a.'], '0161016100'],
    ['only ASCII case', ['\\192.', '\\224.'], '01c000 01e000'],
  ];
  for (const [what, names, wire] of rows) {
    it(what, () => assert.equal(written(names), wire.replaceAll(' ', '')));
  }

  it('counts from where the message begins', () => {
    const writer = new WireWriter(new Uint8Array(64), 2);
    writer.name(parseName('a.b.'), true);
    writer.name(parseName('b.'), true);
    assert.equal(hexOf(writer.written()), '0161016200c002');
  });

  it('is not done unless asked, but what was written plainly may be pointed to', () => {
    const writer = new WireWriter(new Uint8Array(64));
    writer.name(parseName('a.'), false);
    writer.name(parseName('a.'), true);
    writer.name(parseName('a.'), false);
    writer.name(parseName('a.'), true);
    assert.equal(hexOf(writer.written()), '016100c000016100c000');
  });

  it('points to nothing beyond 0x3fff', () => {
    for (const start of [0x3ffc, 0x3ffd, 0x3ffe, 0x3fff, 0x4000, 0x5000]) {
      const writer = new WireWriter(new Uint8Array(0x6000));
      writer.octets(new Uint8Array(start));
      const names = ['a.b.', 'a.b.', 'x.b.', 'b.'].map((text) => parseName(text));
      for (const name of names) writer.name(name, true);
      const reader = new WireReader(writer.written(), start);
      for (const name of names) assert.equal(formatName(reader.name()), formatName(name));
      assert.equal(reader.remaining, 0);
      if (start >= 0x4000)
        assert.equal(hexOf(writer.written().subarray(start)), '016101620001610162000178016200016200');
    }
  });

  it('remembers a bounded number of names and writes later ones out', () => {
    const names = Array.from({ length: 400 }, (_, i) => parseName(`n${i}.`));
    const writer = new WireWriter(new Uint8Array(8192));
    for (const name of [...names, ...names]) writer.name(name, true);
    const reader = new WireReader(writer.written());
    for (const name of [...names, ...names]) assert.deepEqual(reader.name(), name);
  });

  const neverCompressed: readonly [record: string, tail: string][] = [
    ['www.example. 0 IN SRV 1 2 3 www.example.', '0003 03777777 076578616d706c65 00'],
    ['www.example. 0 IN NAPTR 1 2 "" "" "" www.example.', '03777777 076578616d706c65 00'],
    ['www.example. 0 IN SVCB 1 www.example.', '03777777 076578616d706c65 00'],
    ['www.example. 0 IN HTTPS 1 www.example. port=1', '03777777 076578616d706c65 00 000300020001'],
    ['www.example. 0 IN NSEC www.example. A', '03777777 076578616d706c65 00 000140'],
    ['www.example. 0 IN RP www.example. example.', '03777777 076578616d706c65 00 076578616d706c65 00'],
    ['www.example. 0 IN RRSIG A 8 2 0 1 1 1 www.example. AAAA', '03777777 076578616d706c65 00 000000'],
  ];
  for (const [text, tail] of neverCompressed) {
    const [record] = records(text);
    it(`is never done in ${text.split(' ')[3]}`, () => {
      const writer = new WireWriter(new Uint8Array(512));
      writer.name(parseName('www.example.'), true);
      writeRecord(writer, record!);
      const wire = hexOf(writer.written());
      assert.equal(wire.slice(26, 30), 'c000', 'the owner is');
      assert.ok(wire.endsWith(tail.replaceAll(' ', '')), wire);
    });
  }

  for (const type of ['NS', 'CNAME', 'PTR', 'MX 5', 'SOA']) {
    it(`is done in ${type.split(' ')[0]}`, () => {
      const rest = type === 'SOA' ? ' example. 1 2 3 4 5' : '';
      const [record] = records(`www.example. 0 IN ${type} www.example.${rest}`);
      const writer = new WireWriter(new Uint8Array(512));
      writeRecord(writer, record!);
      const wire = hexOf(writer.written());
      const length = Number.parseInt(wire.slice(26 + 16, 26 + 20), 16);
      assert.equal(length, type === 'SOA' ? 24 : type === 'MX 5' ? 4 : 2);
      assert.equal(wire.length / 2, 13 + 10 + length);
    });
  }
});

describe('going back', () => {
  it('forgets names written after the mark', () => {
    const writer = new WireWriter(new Uint8Array(64));
    writer.name(parseName('keep.'), true);
    const mark = writer.offset;
    writer.name(parseName('drop.keep.'), true);
    writer.rewind(mark);
    writer.name(parseName('drop.keep.'), true);
    assert.equal(hexOf(writer.written()), '046b65657000 0464726f70c000'.replace(' ', ''));
  });

  it('after an overflow, the writer works on', () => {
    const writer = new WireWriter(new Uint8Array(64), 0, 12);
    writer.name(parseName('a.'), true);
    const mark = writer.offset;
    writer.name(parseName('bbbbbbbbbbbb.a.'), true);
    assert.equal(writer.overflowed, true);
    writer.u8(1);
    assert.equal(writer.overflowed, true, 'nothing small slips in behind what did not fit');
    assert.equal(writer.offset, mark);
    writer.rewind(mark);
    writer.name(parseName('b.a.'), true);
    assert.deepEqual([hexOf(writer.written()), writer.overflowed], ['0161000162c000', false]);
  });

  it('looks at no octets of an earlier use of the buffer', () => {
    // The first label fits, the second does not; behind it the buffer holds a pointer that points at itself.
    const buffer = new Uint8Array(64);
    buffer.set([0xc0, 0x02], 2);
    const writer = new WireWriter(buffer, 0, 3);
    writer.name(parseName('a.b.c.'), true);
    assert.equal(writer.overflowed, true);
    writer.name(parseName('a.b.c.'), true);
    writer.name(parseName('a.'), true);
    assert.equal(writer.offset, 2);
  });

  const someName = fc
    .array(fc.constantFrom('a', 'B', 'b', 'cart', 'service', 'local', 'x'.repeat(62)), { maxLength: 4 })
    .map((labels): Name => (labels.length === 0 ? ROOT : parseName(`${labels.join('.')}.`)));
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ name: someName, compress: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constant('mark' as const) },
    { weight: 2, arbitrary: fc.constant('rewind' as const) },
  );

  it('random names, limits and rewinds always read back as what was kept', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 0, max: 300 }),
        fc.nat(3),
        (steps, limit, start) => {
          // What an earlier use left behind: pointers everywhere.
          const buffer = new Uint8Array(512).fill(0xc0);
          const writer = new WireWriter(buffer, start, start + limit);
          let kept: Name[] = [];
          let marks: { offset: number; kept: Name[] }[] = [];
          for (const each of steps) {
            if (each === 'mark') marks.push({ offset: writer.offset, kept });
            else if (each === 'rewind') {
              const mark = marks.pop() ?? { offset: start, kept: [] };
              writer.rewind(mark.offset);
              kept = mark.kept;
            } else {
              const before = writer.offset;
              writer.name(each.name, each.compress);
              if (writer.overflowed) writer.rewind(before);
              else kept = [...kept, each.name];
            }
            marks = marks.filter(({ offset }) => offset <= writer.offset);
          }
          const reader = new WireReader(writer.written().slice());
          for (const name of kept) {
            assert.equal(formatName(reader.name()).toLowerCase(), formatName(name).toLowerCase());
          }
          assert.equal(reader.remaining, 0);
          assert.ok(buffer.subarray(start + limit).every((octet) => octet === 0xc0));
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a record that does not fit', () => {
  it('is noticed whatever part is cut', () => {
    const [record] = records('www.example.com. 60 IN MX 10 mail.example.com.');
    const whole = new WireWriter(new Uint8Array(512));
    writeRecord(whole, record!);
    const full = hexOf(whole.written());
    for (let limit = 0; limit < full.length / 2; limit++) {
      const writer = new WireWriter(new Uint8Array(512), 0, limit);
      writeRecord(writer, record!);
      assert.equal(writer.overflowed, true, `limit ${limit}`);
      writer.rewind(0);
      writer.limit = 512;
      writeRecord(writer, record!);
      assert.equal(hexOf(writer.written()), full);
    }
    assert.equal(record!.type, TYPE.MX);
  });
});
