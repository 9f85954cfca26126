// presentation.test.ts -- records as text: the head, TTLs, formatting, sets

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { lexMasterText } from '../../src/dns/lexer.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { formatRecord, formatRRset, parseRecord, parseTtl } from '../../src/dns/presentation.ts';
import { groupRecords, recordsOf, rrset, withOwner } from '../../src/dns/rrset.ts';
import { formatString, PresentationError, TokenCursor, tokenOctets } from '../../src/dns/token-cursor.ts';
import { records } from '../support/wire.ts';

const ORIGIN = parseName('example.');

describe('the head of a record', () => {
  const rows: readonly [text: string, written: string][] = [
    ['a 300 IN A 1.2.3.4', 'a.example. 300 IN A 1.2.3.4'],
    ['a IN 300 A 1.2.3.4', 'a.example. 300 IN A 1.2.3.4'],
    ['a 300 A 1.2.3.4', 'a.example. 300 IN A 1.2.3.4'],
    ['a in a 1.2.3.4', 'a.example. 77 IN A 1.2.3.4'],
    ['a A 1.2.3.4', 'a.example. 77 IN A 1.2.3.4'],
    ['@ 1h30M CH TXT x', 'example. 5400 CH TXT "x"'],
    ['a. CLASS32 TYPE731 \\# 1 00', 'a. 77 CLASS32 TYPE731 \\# 1 00'],
    ['a. CLASS1 TYPE1 1.2.3.4', 'a. 77 IN A 1.2.3.4'],
    ['a. HS 2147483647 TYPE62347 \\# 0', 'a. 2147483647 HS TYPE62347 \\# 0'],
    ['A A 1.2.3.4', 'A.example. 77 IN A 1.2.3.4'],
    ['300 300 A 1.2.3.4', '300.example. 300 IN A 1.2.3.4'],
    ['IN IN A 1.2.3.4', 'IN.example. 77 IN A 1.2.3.4'],
    ['a ( 300\n IN ; x\n A ) 1.2.3.4', 'a.example. 300 IN A 1.2.3.4'],
    ['a MX 10 mail', 'a.example. 77 IN MX 10 mail.example.'],
    ['a MX 10 mail\\.', 'a.example. 77 IN MX 10 mail\\..example.'],
    ['a MX 10 mail\\\\.', 'a.example. 77 IN MX 10 mail\\\\.'],
  ];
  for (const [text, written] of rows) {
    it(JSON.stringify(text), () => assert.equal(formatRecord(parseRecord(text, ORIGIN, 77)), written));
  }

  const bad: readonly [text: string, message: RegExp, line: number, column: number][] = [
    ['', /^expected one record$/, 1, 1],
    ['; only a comment', /^expected one record$/, 1, 1],
    ['a A 1.2.3.4\nb A 1.2.3.4', /^expected one record$/, 1, 1],
    ['a', /^missing type$/, 1, 1],
    ['a 300 IN', /^missing type$/, 1, 7],
    ['a FOO 1', /^unknown type or class 'FOO'$/, 1, 3],
    ['a IN IN A 1.2.3.4', /^unknown type or class 'IN'$/, 1, 6],
    ['a 300 300 A 1.2.3.4', /^second TTL '300'$/, 1, 7],
    ['a 2147483648 A 1.2.3.4', /^TTL '2147483648' is above 2147483647/, 1, 3],
    ['a -1 A 1.2.3.4', /^unknown type or class '-1'$/, 1, 3],
    ['a TYPE65536 \\# 0', /^unknown type or class 'TYPE65536'$/, 1, 3],
    ['a..b A 1.2.3.4', /^owner: empty label in 'a\.\.b'$/, 1, 1],
    ['münchen A 1.2.3.4', /^owner: unprintable character in name 'm\?nchen'$/, 1, 1],
    ['a (\n A\n  1.2.3 )', /^'1\.2\.3' is not an IPv4 address$/, 3, 3],
    ['a TXT "x', /^quoted string is never closed$/, 1, 7],
    ['a TXT ( x', /never closed$/, 1, 10],
  ];
  for (const [text, message, line, column] of bad) {
    it(`${JSON.stringify(text)} is refused`, () => {
      assert.throws(
        () => parseRecord(text, ORIGIN),
        (thrown) => {
          assert.ok(thrown instanceof PresentationError);
          assert.match(thrown.message, message);
          assert.deepEqual([thrown.line, thrown.column], [line, column]);
          return true;
        },
      );
    });
  }

  it('errors hold printable ASCII only', () => {
    assert.throws(() => parseRecord('a \u001b[31mA x', ORIGIN), { message: "unknown type or class '?[31mA'" });
  });
});

describe('TTLs', () => {
  const rows: readonly [text: string, seconds: number | undefined][] = [
    ['0', 0],
    ['300', 300],
    ['5m', 300],
    ['1H30m', 5400],
    ['1w2d3h4m5s', 788645],
    ['2147483647', 2147483647],
    ['2147483648', undefined],
    ['3551w', undefined],
    ['', undefined],
    ['m', undefined],
    ['1x', undefined],
    ['1h30', undefined],
    ['-1', undefined],
    ['1.5h', undefined],
    ['1 h', undefined],
    ['99999999999', undefined],
  ];
  for (const [text, seconds] of rows) it(`'${text}'`, () => assert.equal(parseTtl(text), seconds));
});

describe('names among the tokens', () => {
  const take = (text: string, origin?: typeof ORIGIN): string =>
    formatName(new TokenCursor(lexMasterText(text).entries[0]!.tokens, 0, origin).takeName('name'));

  it('need an origin when they are relative', () => {
    assert.equal(take('a.'), 'a.');
    assert.equal(take('.'), '.');
    assert.equal(take('a\\\\.'), 'a\\\\.');
    for (const text of ['a', '@', 'a\\.', 'a\\046', 'a\\\\\\.']) {
      assert.throws(() => take(text), /relative name '.*' without an origin/, text);
    }
    assert.equal(take('@', ORIGIN), 'example.');
    assert.equal(take('a\\\\\\.', ORIGIN), 'a\\\\\\..example.');
  });
});

describe('character-strings', () => {
  it('any octets survive being written and read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 255 }), (octets) => {
        const text = formatString(octets);
        assert.match(text, /^"[\x20-\x7e]*"$/);
        const { entries, problems } = lexMasterText(text);
        assert.deepEqual(problems, []);
        assert.deepEqual(new Uint8Array(tokenOctets(entries[0]!.tokens[0]!)), octets);
      }),
    );
  });

  it('any text is taken as UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const escaped = text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\010');
        const [entry] = lexMasterText(`x "${escaped}"`).entries;
        assert.equal(Buffer.from(tokenOctets(entry!.tokens[1]!)).toString(), text);
      }),
    );
  });
});

describe('sets', () => {
  const some = records(`
    a. 60 IN A 1.1.1.1
    b. 60 IN A 2.2.2.2
    A. 30 IN A 3.3.3.3
    a. 90 IN A 1.1.1.1
    a. 60 CH A 1.1.1.1
    a. 60 IN TXT x
    a. 10 IN TXT X`);

  it('are gathered by owner, type and class; repeats are dropped, the least TTL wins', () => {
    assert.deepEqual(groupRecords(some).flatMap(formatRRset), [
      'a. 30 IN A 1.1.1.1',
      'a. 30 IN A 3.3.3.3',
      'b. 60 IN A 2.2.2.2',
      'a. 60 CH A 1.1.1.1',
      'a. 10 IN TXT "x"',
      'a. 10 IN TXT "X"',
    ]);
  });

  it('of thousands are gathered without comparing all with all', () => {
    const many = Array.from({ length: 60_000 }, (_, i) => ({
      ...some[0]!,
      rdata: Uint8Array.of(10, i >> 16, i >> 8, i),
    }));
    assert.equal(groupRecords([...many, ...many])[0]!.rdatas.length, 60_000);
  });

  it('come apart into records', () => {
    const set = rrset(parseName('x.'), 1, 5, [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(4, 3, 2, 1)]);
    assert.deepEqual(recordsOf(withOwner(set, parseName('y.'))).map(formatRecord), [
      'y. 5 IN A 1.2.3.4',
      'y. 5 IN A 4.3.2.1',
    ]);
    assert.deepEqual(formatRRset(set), ['x. 5 IN A 1.2.3.4', 'x. 5 IN A 4.3.2.1']);
  });
});
