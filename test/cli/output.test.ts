// output.test.ts -- tables for people and scripts, and text that cannot steer a terminal

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createColors } from 'picocolors';
import { printable, renderTable, statusColor, toJson } from '../../src/cli/output.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

const plain: Terminal = {
  isTerminal: false,
  columns: 80,
  colors: createColors(false),
  env: {},
  cwd: '/',
  out: () => {},
  err: () => {},
  readInput: async () => '',
};

describe('printable', () => {
  const rows: readonly (readonly [what: string, text: string, expected: string])[] = [
    ['plain text', 'cart-1: 503', 'cart-1: 503'],
    ['text of other scripts', 'größe 日本', 'größe 日本'],
    ['a colour', '\u001b[31mred\u001b[0m', 'red'],
    ['a cursor movement by C1', 'a\u009b2Jb', 'ab'],
    ['a window title', '\u001b]0;owned\u0007x', 'x'],
    ['lines', 'a\r\nb\tc', 'a b c'],
    ['bell and backspace', 'a\u0007\b\u007fb', 'ab'],
    ['text turned around', '\u202eevil\u2066', 'evil'],
  ];
  for (const [what, text, expected] of rows) {
    it(what, () => assert.equal(printable(text), expected));
  }
});

describe('toJson', () => {
  it('escapes what would steer a terminal, without changing the value', () => {
    const value = { a: '\u001b[31m \u009b2J \u202e \u{e0001} \u2028 ü\n' };
    const text = toJson(value);
    assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\u2028]/u);
    assert.deepEqual(JSON.parse(text), value);
    assert.ok(text.includes('ü'));
  });
});

describe('renderTable', () => {
  const columns = [{ head: 'ID' }, { head: 'STATUS' }, { head: 'TAGS' }];
  const rows = [
    ['cart-1', 'healthy', ''],
    ['c\u001b[2J', 'unhealthy', 'blue'],
  ];

  it('aligns with blanks and nothing else away from a terminal', () => {
    assert.equal(
      renderTable(plain, columns, rows),
      'ID      STATUS     TAGS\ncart-1  healthy\nc       unhealthy  blue\n',
    );
  });

  it('colours on a terminal only what we coloured', () => {
    const terminal = { ...plain, isTerminal: true, colors: createColors(true) };
    const colored = [{ head: 'ID' }, { head: 'STATUS', color: statusColor(terminal) }, { head: 'TAGS' }];
    const text = renderTable(terminal, colored, rows);
    assert.ok(text.includes('\u001b[32mhealthy\u001b[39m'));
    assert.ok(text.includes('\u001b[31munhealthy\u001b[39m'));
    assert.ok(!text.includes('\u001b[2J'));
  });

  it('leaves the colours out where they are not wanted', () => {
    const text = renderTable({ ...plain, isTerminal: true }, columns, rows);
    assert.ok(!text.includes('\u001b'));
    assert.ok(text.includes('unhealthy'));
  });
});
