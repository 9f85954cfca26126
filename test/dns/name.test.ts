// name.test.ts -- names: text and wire, limits, comparison, order

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  compareNames,
  equalNames,
  foldedLabels,
  foldOctet,
  formatLabel,
  formatName,
  isWildcard,
  isWithin,
  labelCount,
  type Name,
  NameError,
  nameKey,
  parentName,
  parseName,
  prependLabels,
  ROOT,
  stripLabels,
  wildcardOf,
} from '../../src/dns/name.ts';
import { hexOf } from '../support/wire.ts';

const ORIGIN = parseName('example.com.');
const A63 = 'a'.repeat(63);
/** 255 octets: three labels of 63 and one of 61, each behind its length, and the root. */
const LONGEST = `${A63}.${A63}.${A63}.${'b'.repeat(61)}.`;

/** Any name: labels of any octets, at most 255 octets in all. */
const anyName = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 63 }), { maxLength: 12 })
  .map((labels) => fitting(labels));

function fitting(labels: readonly Uint8Array[]): Name {
  const wire: number[] = [];
  for (const label of labels) if (wire.length + label.length + 2 <= 255) wire.push(label.length, ...label);
  return Uint8Array.from([...wire, 0]) as Name;
}

describe('text to wire', () => {
  const rows: readonly [text: string, wire: string][] = [
    ['.', '00'],
    ['com.', '03636f6d00'],
    ['www.example.com.', '03777777076578616d706c6503636f6d00'],
    ['WwW.example.com.', '03577757076578616d706c6503636f6d00'],
    ['@', '076578616d706c6503636f6d00'],
    ['www', '03777777076578616d706c6503636f6d00'],
    ['a.b', '01610162076578616d706c6503636f6d00'],
    ['\\@', '0140076578616d706c6503636f6d00'],
    ['a\\.b.', '03612e6200'],
    ['a\\046b.', '03612e6200'],
    ['a\\\\.', '02615c00'],
    ['a\\\\\\..', '03615c2e00'],
    ['\\000\\255.', '0200ff00'],
    ['\\ x.', '02207800'],
    ['\\"\\;\\(\\).', '04223b282900'],
    ['*.', '012a00'],
    ['_a-b.', '045f612d6200'],
  ];
  for (const [text, wire] of rows) {
    it(text, () => assert.equal(hexOf(parseName(text, ORIGIN)), wire));
  }

  it('is relative to the root when no origin is given', () => {
    assert.equal(hexOf(parseName('a')), '016100');
    assert.equal(parseName('@'), ROOT);
  });

  it('takes 63 octets in a label and 255 in a name, escapes counted as one', () => {
    assert.equal(parseName(LONGEST).length, 255);
    assert.equal(parseName(`${'\\001'.repeat(63)}.`).length, 65);
    const escaped = [63, 63, 63, 61].map((length) => '\\200'.repeat(length)).join('.');
    assert.equal(parseName(`${escaped}.`).length, 255);
    assert.equal(labelCount(parseName('a.'.repeat(127))), 127);
  });
});

describe('text that is no name', () => {
  const rows: readonly [text: string, message: RegExp][] = [
    ['', /^empty name$/],
    ['..', /^empty label in '\.\.'$/],
    ['a..b.', /^empty label/],
    ['.a.', /^empty label/],
    [`${A63}a.`, /^label of 64 octets .*\(at most 63\)$/],
    [`c${LONGEST}`, /^label of 64 octets/],
    [`c.${LONGEST}`, /^name of 257 octets .*\(at most 255\)$/],
    ['a.'.repeat(128), /^name of 257 octets/],
    ['a.'.repeat(500_000), /^name of more than 255 octets$/],
    ['a\\', /^backslash at the end$/],
    ['\\25.', /^bad escape '\\25\.'$/],
    ['\\256.', /^bad escape '\\256'$/],
    ['\\1é.', /^unprintable|^bad escape '\\1\?\.'$/],
    ['\\é.', /^bad escape$/],
    ['\\\u0007.', /^bad escape$/],
    ['a b.', /^unprintable character in name 'a b\.'$/],
    ['münchen.', /^unprintable character in name 'm\?nchen\.'$/],
    ['a\n.', /^unprintable character in name 'a\?\.'$/],
    ['a\u007f.', /^unprintable character/],
  ];
  for (const [text, message] of rows) {
    it(JSON.stringify(text.slice(0, 40)), () => {
      assert.throws(
        () => parseName(text, ORIGIN),
        (thrown) => thrown instanceof NameError && message.test(thrown.message),
      );
    });
  }

  it('a relative name that is too long with its origin', () => {
    assert.throws(() => parseName(LONGEST.slice(0, -1), ORIGIN), /name of 267 octets/);
  });
});

describe('wire to text', () => {
  const rows: readonly [wire: string, text: string][] = [
    ['00', '.'],
    ['03777777076578616d706c6503636f6d00', 'www.example.com.'],
    ['03612e6200', 'a\\.b.'],
    ['0400207fff00', '\\000\\032\\127\\255.'],
    ['08225c3b2829402a2400', '\\"\\\\\\;\\(\\)\\@*\\$.'],
  ];
  for (const [wire, text] of rows) {
    it(text, () => assert.equal(formatName(Buffer.from(wire, 'hex') as Uint8Array as Name), text));
  }

  it('formats one label alone', () => assert.equal(formatLabel(Buffer.from('a.b c')), 'a\\.b\\032c'));

  it('and back again gives the same octets, for any name', () => {
    fc.assert(fc.property(anyName, (name) => assert.deepEqual(parseName(formatName(name)), name)));
  });

  it('is printable ASCII without blanks, for any name', () => {
    fc.assert(fc.property(anyName, (name) => assert.match(formatName(name), /^[\x21-\x7e]+$/)));
  });
});

describe('labels', () => {
  it('are taken from the left', () => {
    const name = parseName('a.b.c.');
    assert.equal(formatName(parentName(name)), 'b.c.');
    assert.equal(formatName(stripLabels(name, 2)), 'c.');
    assert.equal(stripLabels(name, 0), name);
    assert.equal(formatName(stripLabels(name, 9)), '.');
    assert.equal(parentName(ROOT), ROOT);
    assert.deepEqual([labelCount(ROOT), labelCount(name)], [0, 3]);
    assert.deepEqual(foldedLabels(parseName('A.b\\201.')), ['a', 'b\u00c9']);
  });

  it('are put in front literally', () => {
    assert.equal(formatName(prependLabels(['a.b', 'C'], ORIGIN)), 'a\\.b.C.example.com.');
    assert.equal(hexOf(prependLabels(['\u00ff'], ROOT)), '01ff00');
    for (const label of ['', 'x'.repeat(64), 'łódź']) assert.throws(() => prependLabels([label], ROOT), NameError);
    assert.throws(() => prependLabels(['a'], parseName(LONGEST)), NameError);
  });

  it('know the wildcard', () => {
    assert.equal(formatName(wildcardOf(ORIGIN)), '*.example.com.');
    assert.equal(isWildcard(wildcardOf(ORIGIN)), true);
    for (const text of ['.', 'a.', '**.', 'a.*.', '\\001*.']) assert.equal(isWildcard(parseName(text)), false, text);
    assert.throws(() => wildcardOf(parseName(LONGEST)), NameError);
  });
});

describe('comparison', () => {
  const within: readonly [name: string, ancestor: string, expected: boolean][] = [
    ['a.example.com.', 'example.com.', true],
    ['example.com.', 'example.com.', true],
    ['A.eXample.COM.', 'Example.com.', true],
    ['example.com.', '.', true],
    ['.', '.', true],
    ['.', 'com.', false],
    ['com.', 'example.com.', false],
    ['badexample.com.', 'example.com.', false],
    ['a.example.org.', 'example.com.', false],
    // The octets of the ancestor stand at the end, but inside a label.
    ['\\003www\\007example\\003com.', 'example.com.', false],
    ['x\\003com.', 'com.', false],
  ];
  for (const [name, ancestor, expected] of within) {
    it(`${name} is ${expected ? '' : 'not '}within ${ancestor}`, () => {
      assert.equal(isWithin(parseName(name), parseName(ancestor)), expected);
    });
  }

  it('ignores the case of ASCII letters and of nothing else (RFC 4343)', () => {
    const same = (a: string, b: string): boolean => {
      const [left, right] = [parseName(a), parseName(b)];
      assert.equal(nameKey(left) === nameKey(right), equalNames(left, right));
      assert.equal(compareNames(left, right) === 0, equalNames(left, right));
      return equalNames(left, right);
    };
    assert.equal(same('ExAmple.', 'eXaMPLE.'), true);
    assert.equal(same('\\192.', '\\224.'), false);
    assert.equal(same('[.', '{.'), false);
    assert.equal(same('\\@.', '`.'), false);
    assert.equal(same('a.b.', 'a\\.b.'), false);
    assert.equal(same('a.', 'a.a.'), false);
    for (let octet = 0; octet < 256; octet++) {
      const folded = String.fromCharCode(octet).replace(/[A-Z]/, (letter) => letter.toLowerCase());
      assert.equal(foldOctet(octet), folded.charCodeAt(0));
    }
  });

  it('orders as the example of RFC 4034 section 6.1', () => {
    const ordered = [
      'example.',
      'a.example.',
      'yljkjljk.a.example.',
      'Z.a.example.',
      'zABC.a.EXAMPLE.',
      'z.example.',
      '\\001.z.example.',
      '*.z.example.',
      '\\200.z.example.',
    ];
    const shuffled = [3, 8, 1, 0, 7, 5, 2, 6, 4].map((index) => parseName(ordered[index]!));
    assert.deepEqual(shuffled.sort(compareNames).map(formatName), ordered);
  });

  it('is an order, equal exactly for equal names and keys', () => {
    const oftenRelated = fc
      .array(fc.constantFrom('a', 'A', 'b', 'ab', '\\000', 'z', '*'), { maxLength: 4 })
      .map((labels) => parseName(`${labels.join('.')}.`.replace(/^\.$/, '.')));
    fc.assert(
      fc.property(oftenRelated, oftenRelated, oftenRelated, (a, b, c) => {
        assert.equal(Math.sign(compareNames(a, b)), 0 - Math.sign(compareNames(b, a)));
        assert.equal(compareNames(a, b) === 0, equalNames(a, b));
        assert.equal(nameKey(a) === nameKey(b), equalNames(a, b));
        if (compareNames(a, b) <= 0 && compareNames(b, c) <= 0) assert.ok(compareNames(a, c) <= 0);
        if (isWithin(a, b)) assert.ok(compareNames(b, a) <= 0, 'an ancestor comes first');
      }),
    );
  });

  it('is reflexive through case for any name', () => {
    const swapCase = (octet: number): number => {
      const isLetter = (octet >= 0x41 && octet <= 0x5a) || (octet >= 0x61 && octet <= 0x7a);
      return isLetter ? octet ^ 0x20 : octet;
    };
    fc.assert(
      fc.property(anyName, (name) => {
        const other = name.slice() as Name;
        for (let at = 0; name[at] !== 0; at += name[at]! + 1) {
          for (let i = at + 1; i <= at + name[at]!; i++) other[i] = swapCase(name[i]!);
        }
        assert.equal(nameKey(name), nameKey(other));
        assert.ok(equalNames(name, other) && isWithin(name, other) && isWithin(name, parentName(other)));
      }),
    );
  });
});
