// ordeal-table.test.ts -- the table of docs/ordeals.md takes new rows of one ordeal and keeps those of others

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatRow, withRows } from '../ordeal/ordeal-table.ts';

const HEAD = '| ordeal | what | measured | promised | kept | date |\n|---|---|---|---|---|---|';
const row = (name: string, measured: string, isKept = true) =>
  formatRow({ name, what: 'a | b', measured, promised: '0', isKept });

test('new rows come in place of old ones, in the order of the ordeals', () => {
  const order = ['first', 'second'];
  const empty = `# Text\n\n${HEAD}\n\nmore\n`;
  const one = withRows(empty, 'second', [row('second', '1'), row('second', '2', false)], order, '2026-01-01');
  const second = '| second | a \\| b | 1 | 0 | yes | 2026-01-01 |\n| second | a \\| b | 2 | 0 | **no** | 2026-01-01 |';
  assert.equal(one, `# Text\n\n${HEAD}\n${second}\n\nmore\n`);
  const both = withRows(one, 'first', [row('first', '3')], order, '2026-01-02');
  const first = '| first | a \\| b | 3 | 0 | yes | 2026-01-02 |';
  assert.equal(both, `# Text\n\n${HEAD}\n${first}\n${second}\n\nmore\n`);
  // One that is no more is left out.
  assert.equal(withRows(both, 'first', [], ['first'], '2026-01-03'), empty);
  assert.throws(() => withRows('# Text\n', 'first', [], order, '2026-01-03'), /no table/);
});
