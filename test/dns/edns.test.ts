// edns.test.ts -- the OPT record

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Edns, extendedErrorOption, OPT_LENGTH, readOpt, writeOpt } from '../../src/dns/edns.ts';
import { WireError } from '../../src/dns/wire-error.ts';
import { WireReader } from '../../src/dns/wire-reader.ts';
import { WireWriter } from '../../src/dns/wire-writer.ts';
import { bytes, hexOf, octets } from '../support/wire.ts';

/** What follows the owner and the type. */
const read = (hex: string): Edns => readOpt(new WireReader(bytes(hex)));

function write(edns: Edns): string {
  const writer = new WireWriter(new Uint8Array(1024));
  writeOpt(writer, edns);
  return hexOf(writer.written());
}

const PLAIN: Edns = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };

describe('reading', () => {
  const rows: readonly [what: string, hex: string, edns: Edns][] = [
    ['plain', '04d0 00 00 0000 0000', PLAIN],
    ['DO', '04d0 00 00 8000 0000', { ...PLAIN, dnssecOk: true }],
    ['unknown flags', '04d0 00 00 7fff 0000', PLAIN],
    ['a small size, kept as sent', '0000 00 00 0000 0000', { ...PLAIN, udpSize: 0 }],
    [
      'version and extended rcode',
      'ffff 01 ff 0000 0000',
      { ...PLAIN, udpSize: 65535, extendedRcode: 1, version: 255 },
    ],
    [
      'options, known or not, twice or empty',
      '04d0 00 00 0000 000f 000a0000 ffff0003 010203 000a0000',
      {
        ...PLAIN,
        options: [
          { code: 10, data: bytes('') },
          { code: 65535, data: bytes('010203') },
          { code: 10, data: bytes('') },
        ],
      },
    ],
  ];
  for (const [what, hex, edns] of rows) it(what, () => assert.deepEqual(read(hex), edns));

  const bad: readonly [what: string, hex: string][] = [
    ['cut in the fixed part', '04d0 00 00 0000 00'],
    ['a length past the message', '04d0 00 00 0000 0004 0000'],
    ['half an option header', '04d0 00 00 0000 0003 000a00'],
    ['half an option header, with more behind the OPT', '04d0 00 00 0000 0003 000a00 00 0000 0000'],
    ['an option past the OPT', '04d0 00 00 0000 0004 000a0001 ff'],
    ['an option past the message', '04d0 00 00 0000 0004 000affff'],
    ['thousands of options', `04d0 00 00 0000 fa00 ${'00000000'.repeat(16000)}`],
  ];
  for (const [what, hex] of bad) {
    it(`${what} is FORMERR`, () => {
      assert.throws(
        () => read(hex),
        (thrown) => thrown instanceof WireError && thrown.rcode === 1,
      );
    });
  }

  it('stops where the OPT ends', () => {
    const reader = new WireReader(bytes('04d0 00 00 0000 0005 00030001 41 eeee'));
    assert.equal(readOpt(reader).options.length, 1);
    assert.equal(reader.remaining, 2);
  });
});

describe('writing', () => {
  it('gives the octets that read back', () => {
    const edns: Edns = {
      udpSize: 4096,
      extendedRcode: 1,
      version: 0,
      dnssecOk: true,
      options: [
        { code: 3, data: bytes('6e73') },
        { code: 12, data: bytes('0000') },
      ],
    };
    assert.equal(write(edns), '0000291000010080 00000c 00030002 6e73 000c0002 0000'.replaceAll(' ', ''));
    const wire = octets(write(edns));
    assert.deepEqual(readOpt(new WireReader(wire, 3)), edns);
    assert.equal(write(PLAIN).length / 2, OPT_LENGTH);
  });

  it('overflows rather than being cut', () => {
    for (let limit = 0; limit < OPT_LENGTH; limit++) {
      const writer = new WireWriter(new Uint8Array(64), 0, limit);
      writeOpt(writer, PLAIN);
      assert.equal(writer.overflowed, true);
    }
  });
});

it('an extended error is its code and UTF-8 text (RFC 8914 section 2)', () => {
  const { code, data } = extendedErrorOption(15, 14, 'not yet é');
  assert.equal(code, 15);
  assert.equal(hexOf(data), `000e${Buffer.from('not yet é').toString('hex')}`);
  assert.equal(hexOf(extendedErrorOption(15, 20, '').data), '0014');
});
