// lexer.test.ts -- master-file text into entries: quotes, escapes, parentheses, comments, line ends, positions

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { lexMasterText } from '../../src/dns/lexer.ts';

/** Entries as `line|words`, `~` in front when the owner is left out, quoted words in angle brackets. */
function entriesOf(text: string): string[] {
  const { entries, problems } = lexMasterText(text);
  assert.deepEqual(problems, []);
  return entries.map(({ line, continuesOwner, tokens }) => {
    const words = tokens.map((token) => (token.quoted ? `<${token.text}>` : token.text)).join(' ');
    return `${line}|${continuesOwner ? '~' : ''}${words}`;
  });
}

function problemsOf(text: string): string[] {
  return lexMasterText(text).problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);
}

describe('entries', () => {
  const rows: readonly [what: string, text: string, entries: readonly string[]][] = [
    ['nothing', '', []],
    ['blank lines and comments', '\n  \n; a\n\t; b ( " \n\r\n', []],
    ['words by blanks and tabs', 'a  b\tc \t\n', ['1|a b c']],
    ['no newline at the end', 'a b', ['1|a b']],
    ['the owner left out', 'a b\n c\n\td\n', ['1|a b', '2|~c', '3|~d']],
    ['CRLF', 'a b\r\n c\r\n\r\nd\r\n', ['1|a b', '2|~c', '4|d']],
    ['a byte-order mark', '\ufeffa b', ['1|a b']],
    ['a comment behind a word', 'a;b\nc ; d', ['1|a', '2|c']],
    ['a semicolon in quotes', 'a ";b" c', ['1|a <;b> c']],
    ['an escaped semicolon', 'a\\;b c', ['1|a\\;b c']],
    ['parentheses', 'a ( b\nc ) d\ne', ['1|a b c d', '3|e']],
    ['parentheses without blanks', 'a(b\nc)d', ['1|a b c d']],
    ['comments in parentheses', 'a ( ; ) "\n b ; (\n )\nc', ['1|a b', '4|c']],
    ['blank lines in parentheses', 'a (\n\n\n b )\nc', ['1|a b', '5|c']],
    ['a line in parentheses does not leave the owner out', 'a (\n b )\n c', ['1|a b', '3|~c']],
    ['a parenthesis before the first word', ' ( a\n b )', ['1|~a b']],
    ['an escaped parenthesis', 'a\\( b\nc', ['1|a\\( b', '2|c']],
    ['parentheses in quotes', 'a "(" b\nc', ['1|a <(> b', '2|c']],
    ['quotes', 'a "b c" ""', ['1|a <b c> <>']],
    ['escapes in quotes stay', 'a "b\\"c\\\\" d', ['1|a <b\\"c\\\\> d']],
    ['\\DDD stays', 'a "\\034" \\034', ['1|a <\\034> \\034']],
    ['quotes directly behind each other', '"a""b"c"d"', ['1|<a> <b> c <d>']],
    ['a quoted value behind =', 'a key="b c;d" e', ['1|a <key=b c;d> e']],
    ['a quoted value behind = in parentheses', 'a (\n k="1 2" )', ['1|a <k=1 2>']],
    ['an escaped blank', 'a\\ b c', ['1|a\\ b c']],
    ['non-ASCII', 'ä "ö ü" 𝄞', ['1|ä <ö ü> 𝄞']],
    ['an escaped surrogate pair', '\\𝄞 b', ['1|\\𝄞 b']],
    ['white space of other kinds is part of a word', 'a\u00a0b \f \v\u2028 \ufeff', ['1|a\u00a0b \f \v\u2028 \ufeff']],
    ['NUL', 'a\0b', ['1|a\0b']],
    ['a backslash at the end of a line', 'a\\\nb', ['1|a\\', '2|b']],
    ['a backslash at the end of the text', 'a \\', ['1|a \\']],
  ];
  for (const [what, text, entries] of rows) {
    it(what, () => assert.deepEqual(entriesOf(text), entries));
  }
});

describe('positions', () => {
  it('are those of the first character of each word', () => {
    const { entries } = lexMasterText('a  "b" (\n\tc k="x" ; d\r\n e )\n f');
    const places = entries.flatMap(({ tokens }) => tokens.map(({ text, line, column }) => `${text}@${line}:${column}`));
    assert.deepEqual(places, ['a@1:1', 'b@1:4', 'c@2:2', 'k=x@2:4', 'e@3:2', 'f@4:2']);
  });
});

describe('problems', () => {
  const rows: readonly [what: string, text: string, problems: readonly string[], kept: number][] = [
    ['an open quote', 'a "b\nc d', ['1:3: quoted string is never closed'], 1],
    ['an open quote at the end', 'a "b', ['1:3: quoted string is never closed'], 0],
    ['a quote closed by an escaped quote', 'a "b\\"\nc', ['1:3: quoted string is never closed'], 1],
    [
      'a backslash in front of the line end in quotes',
      'a "b\\\nc" d\ne',
      ['1:3: quoted string is never closed', '2:2: quoted string is never closed'],
      1,
    ],
    ['a backslash at the end of the text in quotes', 'a "b\\', ['1:3: quoted string is never closed'], 0],
    ['an open quote behind =', 'a k="b\nc', ['1:5: quoted string is never closed'], 1],
    ['nested parentheses', 'a ( b ( c ) )\nd', ['1:7: parentheses do not nest', "1:13: ')' without '('"], 1],
    ['a closing parenthesis alone', 'a ) b\nc', ["1:3: ')' without '('"], 1],
    ['an open parenthesis', 'a\nb ( c\nd', ['3:2: parenthesis opened in line 2 is never closed'], 1],
    ['an open quote in parentheses', 'a ( "b\n c )\nd', ['1:5: quoted string is never closed'], 1],
    [
      'several, all at once',
      'a "\nb )\nc "\nd',
      ['1:3: quoted string is never closed', "2:3: ')' without '('", '3:3: quoted string is never closed'],
      1,
    ],
  ];
  for (const [what, text, problems, kept] of rows) {
    it(what, () => {
      assert.deepEqual(problemsOf(text), problems);
      assert.equal(lexMasterText(text).entries.length, kept, 'broken entries are left out, the others kept');
    });
  }
});

describe('any text', () => {
  const characters = fc.constantFrom(
    ...'a\\"();= \t\r\n@.$0',
    '\u00a0',
    '\f',
    '\v',
    '\u2028',
    '\ufeff',
    'é',
    '\0',
    '\ud834',
  );
  it('ends, and every token lies where it says', () => {
    fc.assert(
      fc.property(fc.array(characters, { maxLength: 60 }), (parts) => {
        const text = parts.join('');
        const lines = (text.startsWith('\ufeff') ? text.slice(1) : text).split('\n');
        const { entries, problems } = lexMasterText(text);
        for (const { line, column } of [...entries.flatMap(({ tokens }) => tokens), ...problems]) {
          assert.ok(line >= 1 && line <= lines.length && column >= 1 && column <= lines[line - 1]!.length + 2);
        }
        for (const { tokens } of entries) {
          assert.ok(tokens.length > 0);
          for (const { text: word, quoted, line, column } of tokens) {
            assert.ok(quoted || word !== '');
            if (!word.includes('=')) {
              const at = column - 1 + (quoted ? 1 : 0);
              assert.equal(lines[line - 1]!.slice(at, at + word.length), word);
            }
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('of a megabyte is taken in one pass', () => {
    assert.equal(lexMasterText('a '.repeat(500_000)).entries[0]!.tokens.length, 500_000);
    assert.equal(lexMasterText(`a ${'('.repeat(100_000)}`).problems.length, 100_000);
    assert.equal(lexMasterText('"'.repeat(100_001)).problems.length, 1);
    assert.equal(lexMasterText('\\'.repeat(1_000_000)).entries[0]!.tokens[0]!.text.length, 1_000_000);
  });
});
