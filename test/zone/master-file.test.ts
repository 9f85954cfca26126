// master-file.test.ts -- the master-file reader: every form it takes, every error where it stands

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatProblem } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/random.ts';
import { CLASS, TYPE } from '../../src/dns/codes.ts';
import { nameKey, parseName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { MAX_TTL_SECONDS, type ResourceRecord } from '../../src/dns/rrset.ts';
import { buildZone } from '../../src/zone/build-zone.ts';
import { type MasterFile, type MasterFileSource, readMasterFile } from '../../src/zone/master-file.ts';

const ORIGIN = parseName('ex.test.');
const SOA = '@ 9 SOA ns h 1 1 1 1 77';

function read(text: string, source: Partial<MasterFileSource> = {}): MasterFile {
  return readMasterFile({ file: 'z.zone', text, origin: ORIGIN, ...source });
}

function recordTexts(text: string, source: Partial<MasterFileSource> = {}): string[] {
  const { records, problems } = read(text, source);
  assert.deepEqual(problems.map(formatProblem), []);
  return records.map(formatRecord);
}

/** An `include` over files held in memory. */
function includeFrom(files: Readonly<Record<string, string>>): NonNullable<MasterFileSource['include']> {
  return (path) => {
    const text = files[path];
    return text === undefined ? { problem: `${path} does not exist` } : { file: path, text };
  };
}

describe('a master file may say', () => {
  const forms: readonly (readonly [string, string, readonly string[]])[] = [
    ['owner, TTL, class, type', 'a 5 IN A 192.0.2.1', ['a.ex.test. 5 IN A 192.0.2.1']],
    ['class before TTL', 'a IN 5 A 192.0.2.1', ['a.ex.test. 5 IN A 192.0.2.1']],
    ['no class', 'a 5 A 192.0.2.1', ['a.ex.test. 5 IN A 192.0.2.1']],
    ['$TTL for no TTL', '$TTL 7\na IN A 192.0.2.1', ['a.ex.test. 7 IN A 192.0.2.1']],
    ['type alone', '$TTL 7\na A 192.0.2.1', ['a.ex.test. 7 IN A 192.0.2.1']],
    ['mnemonics in any case', 'a 5 in a 192.0.2.1', ['a.ex.test. 5 IN A 192.0.2.1']],
    [
      'the owner before',
      'a 5 A 192.0.2.1\n\tA 192.0.2.2',
      ['a.ex.test. 5 IN A 192.0.2.1', 'a.ex.test. 5 IN A 192.0.2.2'],
    ],
    ['the origin as @', '@ 5 A 192.0.2.1', ['ex.test. 5 IN A 192.0.2.1']],
    ['@ in RDATA', 'a 5 CNAME @', ['a.ex.test. 5 IN CNAME ex.test.']],
    ['absolute names', 'a.other. 5 CNAME b.other.', ['a.other. 5 IN CNAME b.other.']],
    ['an owner that looks like a TTL', '300 5 A 192.0.2.1', ['300.ex.test. 5 IN A 192.0.2.1']],
    ['an owner that looks like a class and a type', 'IN 5 TXT A', ['IN.ex.test. 5 IN TXT "A"']],
    ['TTL units', 'a 1W2d3h4m5S A 192.0.2.1', ['a.ex.test. 788645 IN A 192.0.2.1']],
    ['the largest TTL', 'a 2147483647 A 192.0.2.1', ['a.ex.test. 2147483647 IN A 192.0.2.1']],
    [
      'units in an SOA',
      '@ 5 SOA a b 1 1h 1M 1w 2d',
      ['ex.test. 5 IN SOA a.ex.test. b.ex.test. 1 3600 60 604800 172800'],
    ],
    ['lines in parentheses', 'a 5 ( TXT a ; (\n  b\n c) d', ['a.ex.test. 5 IN TXT "a" "b" "c" "d"']],
    ['quotes around what would mean something', 'a 5 TXT "; ( ) @ $"', ['a.ex.test. 5 IN TXT "; ( ) @ $"']],
    ['escapes', String.raw`a\.b\032 5 TXT \065\;\" "\"\\"`, [String.raw`a\.b\032.ex.test. 5 IN TXT "A;\"" "\"\\"`]],
    ['UTF-8 in text', 'a 5 TXT "é"', [String.raw`a.ex.test. 5 IN TXT "\195\169"`]],
    [
      '$ORIGIN, relative and absolute',
      '$ORIGIN b\na 5 A 192.0.2.1\n$origin c.\na A 192.0.2.1',
      ['a.b.ex.test. 5 IN A 192.0.2.1', 'a.c. 5 IN A 192.0.2.1'],
    ],
    [
      '$ORIGIN without losing the owner',
      'a 5 A 192.0.2.1\n$ORIGIN b\n A 192.0.2.2',
      ['a.ex.test. 5 IN A 192.0.2.1', 'a.ex.test. 5 IN A 192.0.2.2'],
    ],
    ['an owner with an escaped dollar', String.raw`\$TTL 5 A 192.0.2.1`, [String.raw`\$TTL.ex.test. 5 IN A 192.0.2.1`]],
    ['unknown types', String.raw`a 5 TYPE65280 \# 3 AB CDEF`, [String.raw`a.ex.test. 5 IN TYPE65280 \# 3 ABCDEF`]],
    ['known types as unknown ones', String.raw`a 5 CLASS1 TYPE1 \# 4 C0000201`, ['a.ex.test. 5 IN A 192.0.2.1']],
    ['nothing but comments', '; one\n\n  ; two', []],
    ['nothing', '', []],
    [
      'CR LF, and no end to the last line',
      'a 5 A 192.0.2.1\r\n\r\n\tA 192.0.2.2',
      ['a.ex.test. 5 IN A 192.0.2.1', 'a.ex.test. 5 IN A 192.0.2.2'],
    ],
    ['a byte-order mark', '\ufeffa 5 A 192.0.2.1', ['a.ex.test. 5 IN A 192.0.2.1']],
  ];
  for (const [what, text, expected] of forms) it(what, () => assert.deepEqual(recordTexts(text), expected));

  it('where each record stands', () => {
    const { records } = read('\n\na 5 IN\tA 192.0.2.1\n (\n  TXT x )');
    assert.deepEqual(
      records.map(({ file, line, column }) => [file, line, column]),
      [
        ['z.zone', 3, 8],
        ['z.zone', 5, 3],
      ],
    );
  });
});

describe('a TTL that is not stated', () => {
  const ttls: readonly (readonly [string, string, readonly number[]])[] = [
    ['is the $TTL before it, from there on', `$TTL 5\n${SOA}\na A 192.0.2.1\n$TTL 6\nb A 192.0.2.1`, [9, 5, 6]],
    ['is never a stated one when there is $TTL', `$TTL 5\n${SOA}\na 8 A 192.0.2.1\nb A 192.0.2.1`, [9, 8, 5]],
    ['is the last stated', `${SOA}\na A 192.0.2.1\nb 8 A 192.0.2.1\nc A 192.0.2.1`, [9, 9, 8, 8]],
    ['is the minimum of an SOA that states none', '@ SOA ns h 1 1 1 1 77\na A 192.0.2.1', [77, 77]],
    ['is the last stated rather than the minimum', '@ SOA ns h 1 1 1 1 77\na 8 A 192.0.2.1\nb A 192.0.2.1', [77, 8, 8]],
  ];
  for (const [what, text, expected] of ttls) {
    it(what, () =>
      assert.deepEqual(
        read(text).records.map(({ ttlSeconds }) => ttlSeconds),
        expected,
      ),
    );
  }

  it('is 0 for a minimum with the highest bit set (RFC 2181 section 8), with a warning', () => {
    const { records, problems } = read('@ SOA ns h 1 1 1 1 2147483648');
    assert.equal(records[0]?.ttlSeconds, 0);
    assert.deepEqual(problems.map(formatProblem), [
      'z.zone:1:3: warning: minimum 2147483648 is above 2147483647 and counts as 0',
    ]);
  });
});

describe('$INCLUDE', () => {
  it('reads with the same origin and owner, and gives both back', () => {
    const include = includeFrom({ part: ' TXT inner\nb A 192.0.2.2\n$ORIGIN deep\n@ A 192.0.2.3' });
    assert.deepEqual(recordTexts('$TTL 5\na A 192.0.2.1\n$INCLUDE part\n AAAA ::1\nc A 192.0.2.4', { include }), [
      'a.ex.test. 5 IN A 192.0.2.1',
      'a.ex.test. 5 IN TXT "inner"',
      'b.ex.test. 5 IN A 192.0.2.2',
      'deep.ex.test. 5 IN A 192.0.2.3',
      'a.ex.test. 5 IN AAAA ::1',
      'c.ex.test. 5 IN A 192.0.2.4',
    ]);
  });

  it('takes an origin of its own and a quoted file name', () => {
    const include = includeFrom({ 'my part': 'a 5 A 192.0.2.1' });
    assert.deepEqual(recordTexts('$include "my part" sub\nb A 192.0.2.1', { include }), [
      'a.sub.ex.test. 5 IN A 192.0.2.1',
      'b.ex.test. 5 IN A 192.0.2.1',
    ]);
  });

  it('locates records and problems in the file they are in', () => {
    const include = includeFrom({ part: 'b 5 A 192.0.2.2\nc 5 A nowhere' });
    const { records, problems } = read('a 5 A 192.0.2.1\n$INCLUDE part\nd 5 BAD', { include });
    assert.deepEqual(
      records.map(({ file, line }) => `${file}:${line}`),
      ['z.zone:1', 'part:1'],
    );
    assert.deepEqual(problems.map(formatProblem), [
      "z.zone:3:5: unknown type or class 'BAD'",
      "part:2:7: 'nowhere' is not an IPv4 address",
    ]);
  });

  it('may read a file twice, whose problems then count once', () => {
    const include = includeFrom({ part: 'b 5 A nowhere' });
    assert.equal(read('$INCLUDE part\n$INCLUDE part x', { include }).problems.length, 1);
  });

  const wrong: readonly (readonly [string, string, Readonly<Record<string, string>>, readonly string[]])[] = [
    ['that is missing', '$INCLUDE gone', {}, ['z.zone:1:10: gone does not exist']],
    ['without a file', '$INCLUDE', {}, ['z.zone:1:1: missing file name']],
    ['with too much', '$INCLUDE a b c', { a: '' }, ["z.zone:1:14: unexpected 'c' after a"]],
    ['of itself', '$INCLUDE z.zone', { 'z.zone': '' }, ['z.zone:1:10: z.zone includes itself']],
    ['of itself by another', '$INCLUDE a', { a: '\n$INCLUDE b', b: '$INCLUDE a' }, ['b:1:10: a includes itself']],
  ];
  for (const [what, text, files, expected] of wrong) {
    it(`${what} is an error`, () => {
      assert.deepEqual(read(text, { include: includeFrom(files) }).problems.map(formatProblem), expected);
    });
  }

  it('is an error where nothing can be included', () => {
    assert.deepEqual(read('$INCLUDE a').problems.map(formatProblem), ['z.zone:1:10: $INCLUDE is not possible here']);
  });

  it('ends at a depth', () => {
    const include: MasterFileSource['include'] = (path) => ({ file: path, text: `$INCLUDE ${path}x` });
    const { problems } = read('$INCLUDE x', { include, limits: { includeDepth: 3 } });
    assert.deepEqual(problems.map(formatProblem), ['xx:1:10: $INCLUDE is deeper than 3 files']);
  });

  it('does not multiply: all files together are bounded', () => {
    let opened = 0;
    const include: MasterFileSource['include'] = (path) => {
      opened++;
      return { file: path, text: `$INCLUDE ${path}a\n`.repeat(10) };
    };
    const { problems } = read('$INCLUDE a', { include, limits: { textLength: 100_000, problems: 1e9 } });
    assert.match(problems.map(formatProblem).join('\n'), /the files together are longer than 100000 characters/);
    assert.ok(opened < 10_000, `${opened} files`);
  });
});

describe('an error is located:', () => {
  const errors: readonly (readonly [string, string, string])[] = [
    ['no owner to continue', ' 5 A 192.0.2.1', '1:2: no owner name has been stated yet'],
    ['no TTL at all', 'a IN A 192.0.2.1', '1:6: no TTL: neither stated, nor by $TTL, nor in a record before'],
    ['another class', 'a 5 CH TXT x', '1:8: class CH is not served, only IN'],
    ['class HS', 'a 5 HS A 192.0.2.1', '1:8: class HS is not served, only IN'],
    ['an unknown class', 'a 5 CLASS32 A 192.0.2.1', '1:13: class CLASS32 is not served, only IN'],
    ['an unknown type', 'a 5 AAA 192.0.2.1', "1:5: unknown type or class 'AAA'"],
    ['no type', 'a 5 IN', '1:5: missing type'],
    ['an owner alone', '\na', '2:1: missing type'],
    ['two TTLs', 'a 5 6 A 192.0.2.1', "1:5: second TTL '6'"],
    ['a TTL too large', 'a 2147483648 A 192.0.2.1', "1:3: TTL '2147483648' is above 2147483647 seconds"],
    ['$TTL too large', '$TTL 2147483648', "1:6: TTL '2147483648' is not a time of 0 to 2147483647 s"],
    ['$TTL without one', '$TTL', '1:1: missing TTL'],
    ['$TTL of nonsense', '$TTL 5x', "1:6: TTL '5x' is not a time of 0 to 2147483647 s"],
    ['$TTL with more', '$TTL 5 6', "1:8: unexpected '6' after $TTL"],
    ['$ORIGIN without one', '$ORIGIN', '1:1: missing origin'],
    ['$ORIGIN with more', '$ORIGIN a b', "1:11: unexpected 'b' after $ORIGIN"],
    ['$ORIGIN of nonsense', '$ORIGIN a..b', "1:9: origin: empty label in 'a..b'"],
    [
      '$GENERATE',
      '$GENERATE 1-9 h$ A 192.0.2.$',
      '1:1: directive $GENERATE is not supported ($ORIGIN, $TTL and $INCLUDE are)',
    ],
    ['any other directive', '\n$x', '2:1: directive $x is not supported ($ORIGIN, $TTL and $INCLUDE are)'],
    ['a directive behind white space', 'a 5 A 192.0.2.1\n $TTL 5', "2:2: unknown type or class '$TTL'"],
    ['DNAME', 'a 5 DNAME b', '1:5: DNAME records are not supported'],
    ['a question type', String.raw`a 5 ANY \# 0`, '1:5: ANY is not a type of data'],
    ['OPT', String.raw`a 5 TYPE41 \# 0`, '1:5: OPT is not a type of data'],
    ['an unknown meta-type', String.raw`a 5 TYPE200 \# 0`, '1:5: TYPE200 is not a type of data'],
    ['a parenthesis left open', 'a 5 TXT (\nb', '2:2: parenthesis opened in line 1 is never closed'],
    ['a parenthesis in one', 'a 5 TXT ((x)', '1:10: parentheses do not nest'],
    ['a parenthesis only closed', 'a 5 TXT x)', "1:10: ')' without '('"],
    ['a quote left open', 'a 5 TXT "x', '1:9: quoted string is never closed'],
    ['a quote over lines', 'a 5 TXT "x\nb 5 A 192.0.2.1', '1:9: quoted string is never closed'],
    ['an escaped line end in a quote', 'a 5 TXT "x\\\n\n', '1:9: quoted string is never closed'],
    ['a bad escape in a name', String.raw`a\256 5 A 192.0.2.1`, String.raw`1:1: owner: bad escape '\256'`],
    ['a bad escape in text', String.raw`a 5 TXT \2`, String.raw`1:9: bad escape '\2'`],
    ['a backslash at the end', 'a 5 TXT x\\', '1:9: backslash at the end'],
    ['white space that is none', 'a\f 5 A 192.0.2.1', "1:1: owner: unprintable character in name 'a?'"],
    [
      'a label too long',
      `${'a'.repeat(64)} 5 A 192.0.2.1`,
      `1:1: owner: label of 64 octets in '${'a'.repeat(64)}' (at most 63)`,
    ],
    ['an address too short', 'a 5 A 192.0.2', "1:7: '192.0.2' is not an IPv4 address"],
    ['RDATA too short', 'a 5 MX 10', '1:8: missing exchange'],
    ['RDATA too long', 'a 5 A 192.0.2.1 192.0.2.2', "1:17: unexpected '192.0.2.2' after the record"],
    ['a number too large', 'a 5 MX 65536 b', "1:8: preference must be a number from 0 to 65535, not '65536'"],
    ['text too long', `a 5 TXT ${'x'.repeat(256)}`, '1:9: text has 256 octets (at most 255)'],
    [
      'an SOA time too large',
      '@ 5 SOA a b 1 1 1 1 8000w',
      "1:21: minimum must be a time of at most 2^32 - 1 s, not '8000w'",
    ],
    [
      'opaque RDATA of another length',
      String.raw`a 5 TYPE65280 \# 2 AB`,
      String.raw`1:15: \# announces 2 octets, the data are not that`,
    ],
    ['the third line of a record', 'a 5 MX (\n  10\n  b..c )', "3:3: exchange: empty label in 'b..c'"],
  ];
  for (const [what, text, expected] of errors) {
    it(what, () => {
      const { records, problems } = read(text);
      assert.deepEqual(problems.map(formatProblem), [`z.zone:${expected}`]);
      assert.equal(records.filter(({ line }) => line === problems[0]?.line).length, 0, 'the entry is left out');
    });
  }

  it('a relative name without an origin', () => {
    const { problems } = readMasterFile({
      file: 'f',
      text: 'a 5 A 192.0.2.1\n@ 5 A 192.0.2.1\n$ORIGIN b\n\nc. 5 NS d',
    });
    assert.deepEqual(problems.map(formatProblem), [
      "f:1:1: relative name 'a' without an origin",
      "f:2:1: relative name '@' without an origin",
      "f:3:9: relative name 'b' without an origin",
      "f:5:9: relative name 'd' without an origin",
    ]);
  });

  it('all at once, each once, in order, and none that only follows from another', () => {
    const { problems } = read('a..b 5 A 192.0.2.1\n A 192.0.2.2\n A x\n$TTL x\nc 5 TXT "\nd 5 X\ne 5 A 192.0.2.1');
    assert.deepEqual(
      problems.map(({ line, column }) => [line, column]),
      [
        [1, 1],
        [3, 4],
        [4, 6],
        [5, 9],
        [6, 5],
      ],
    );
  });
});

describe('reading is bounded', () => {
  it('by the length of the text', () => {
    const { records, problems } = read('a 5 A 192.0.2.1', { limits: { textLength: 14 } });
    assert.deepEqual([records, problems.map(formatProblem)], [[], ['z.zone: longer than 14 characters']]);
  });

  it('by the number of records', () => {
    const { records, problems } = read('a 5 A 192.0.2.1\n A 192.0.2.2\n A 192.0.2.3\n A x', { limits: { records: 2 } });
    assert.equal(records.length, 2);
    assert.deepEqual(problems.map(formatProblem), ['z.zone:3:2: more than 2 records']);
  });

  it('by the number of problems', () => {
    const { problems } = read('a 5 A x\n'.repeat(1000), { limits: { problems: 10 } });
    assert.equal(problems.length, 11);
    assert.equal(formatProblem(problems[10]!), 'z.zone: too many problems, reading stopped');
  });

  it('and so is what a problem quotes', () => {
    const { problems } = read(`a 5 ${'x'.repeat(1_000_000)}\n${'y'.repeat(1_000_000)} 5 A 192.0.2.1`);
    assert.equal(problems.length, 2);
    for (const { message } of problems) assert.ok(message.length < 300, message);
  });

  it('and linear: megabytes of one kind take no more than seconds', () => {
    for (const piece of ['(', '"', '\\', 'a 5 A x\n', ' ', ';', '()', '""', '\\\\', 'a.', '\f', '$']) {
      const before = process.cpuUsage();
      read(piece.repeat(1_000_000 / piece.length));
      // CPU time, since the machine may be busy with other tests.
      const tookMs = process.cpuUsage(before).user / 1000;
      assert.ok(tookMs < 5_000, `${JSON.stringify(piece)} took ${tookMs} ms`);
    }
  });
});

describe('records, their text, and records again', () => {
  const octet = fc.integer({ min: 0, max: 255 });
  const label = fc.uint8Array({ minLength: 1, maxLength: 12 });
  const name = fc.array(label, { maxLength: 5 }).map((labels) => {
    return Uint8Array.from([...labels.flatMap((each) => [each.length, ...each]), 0]) as ResourceRecord['name'];
  });
  const string = fc.uint8Array({ maxLength: 255 }).map((octets) => [octets.length, ...octets]);
  const rdata = fc.oneof(
    fc.tuple(fc.constant<number>(TYPE.A), fc.array(octet, { minLength: 4, maxLength: 4 })),
    fc.tuple(fc.constant<number>(TYPE.AAAA), fc.array(octet, { minLength: 16, maxLength: 16 })),
    fc.tuple(
      fc.constantFrom<number>(TYPE.NS, TYPE.CNAME, TYPE.PTR),
      name.map((each) => [...each]),
    ),
    fc.tuple(
      fc.constant<number>(TYPE.MX),
      fc.tuple(octet, octet, name).map(([a, b, each]) => [a, b, ...each]),
    ),
    fc.tuple(
      fc.constant<number>(TYPE.TXT),
      fc.array(string, { minLength: 1, maxLength: 3 }).map((each) => each.flat()),
    ),
    fc.tuple(
      fc.constant<number>(TYPE.SRV),
      fc.tuple(fc.array(octet, { minLength: 6, maxLength: 6 }), name).map(([a, each]) => [...a, ...each]),
    ),
    fc.tuple(
      fc.constant<number>(TYPE.SOA),
      fc
        .tuple(name, name, fc.array(octet, { minLength: 20, maxLength: 20 }))
        .map((parts) => parts.flatMap((part) => [...part])),
    ),
    fc.tuple(fc.integer({ min: 1000, max: 65279 }), fc.array(octet, { maxLength: 40 })),
  );
  const record = fc
    .tuple(name, fc.integer({ min: 0, max: MAX_TTL_SECONDS }), rdata)
    .map(([owner, ttlSeconds, [type, octets]]): ResourceRecord => {
      return { name: owner, type, class: CLASS.IN, ttlSeconds, rdata: Uint8Array.from(octets) };
    });
  const shown = ({ name: owner, type, ttlSeconds, rdata: octets }: ResourceRecord) =>
    `${Buffer.from(owner).toString('hex')} ${ttlSeconds} ${type} ${Buffer.from(octets).toString('hex')}`;

  it('are the same', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), (records) => {
        const { records: again, problems } = read(`${records.map(formatRecord).join('\n')}\n`);
        assert.deepEqual(problems.filter(({ severity }) => severity === 'error').map(formatProblem), []);
        assert.deepEqual(again.map(shown), records.map(shown));
      }),
      { seed: 1035, numRuns: 500 },
    );
  });
});

describe('a damaged master file', () => {
  const folder = new URL('./fixtures/', import.meta.url);
  const texts = ['forms.zone', 'types.zone', 'delegations.zone', 'including.zone'].map((file) => {
    return readFileSync(new URL(file, folder), 'utf8');
  });
  const part = readFileSync(new URL('part.inc', folder), 'utf8');
  const scraps = [
    '(',
    ')',
    '"',
    '\\',
    ';',
    '\n',
    '\r\n',
    ' ',
    '\t',
    '\f',
    '\0',
    '\u2028',
    'é',
    '@',
    '.',
    '..',
    '$TTL ',
    '$ORIGIN ',
    '$INCLUDE ',
    'part.inc',
    '\\#',
    ' IN ',
    '99999999999',
    '1h',
    '*.',
    '\\999',
    '-1',
  ];

  function damage(text: string, below: (limit: number) => number): string {
    let damaged = text;
    for (let i = below(8); i >= 0; i--) {
      const at = below(damaged.length + 1);
      const to = Math.min(damaged.length, at + below(30));
      const piece = damaged.slice(at, to);
      const kinds = [
        scraps[below(scraps.length)]!,
        '',
        piece + piece,
        String.fromCharCode(below(256)),
        scraps[below(scraps.length)]! + piece,
        texts[below(texts.length)]!.slice(at, to),
      ];
      damaged = damaged.slice(0, at) + kinds[below(kinds.length)]! + damaged.slice(to);
    }
    return damaged;
  }

  it('ends in problems at places that are there, or in records', () => {
    let sound = 0;
    for (let seed = 1; seed <= 4_000; seed++) {
      const { below } = seededRandom(seed);
      const text = damage(texts[below(texts.length)]!, below);
      const files: Readonly<Record<string, string>> = { 'z.zone': text, 'part.inc': damage(part, below) };
      const { records, problems } = read(text, { include: includeFrom(files) });
      for (const { file, line, column } of [...records, ...problems]) {
        if (line === 0) continue;
        const lines = files[file]!.split('\n');
        const isThere = line >= 1 && line <= lines.length && column >= 1 && column <= lines[line - 1]!.length + 1;
        assert.ok(isThere, `seed ${seed}: ${file}:${line}:${column}`);
      }
      for (const each of records)
        assert.ok(nameKey(each.name).length <= 255 && each.rdata.length <= 65535, `seed ${seed}`);
      if (problems.length > 0) continue;
      sound++;
      assert.ok(buildZone(records, 'z.zone'));
    }
    assert.ok(sound > 50, `only ${sound} were sound: nothing but errors is tried`);
  });
});
