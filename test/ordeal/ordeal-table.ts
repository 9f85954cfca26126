// ordeal-table.ts -- the table that ordeals print, and the one that is kept in docs/ordeals.md

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { OrdealRow } from './ordeal-result.ts';

export const TABLE_HEAD = '| ordeal | what | measured | promised | kept |\n|---|---|---|---|---|';
const DOCUMENT = fileURLToPath(new URL('../../docs/ordeals.md', import.meta.url));
const KEPT_HEAD = '| ordeal | what | measured | promised | kept | date |\n|---|---|---|---|---|---|';

/** One line of the table that is printed. */
export function formatRow({ name, what, measured, promised, isKept }: OrdealRow & { readonly name: string }): string {
  return `| ${[name, what, measured, promised, isKept ? 'yes' : '**no**'].map(inCell).join(' | ')} |`;
}

/** Put the rows of one ordeal into docs/ordeals.md, in place of those it had; `order` has the names of all. */
export function recordRows(
  name: string,
  rows: readonly (OrdealRow & { readonly name: string })[],
  order: readonly string[],
  date = new Date().toISOString().slice(0, 10),
): void {
  writeFileSync(DOCUMENT, withRows(readFileSync(DOCUMENT, 'utf8'), name, rows.map(formatRow), order, date));
}

/** The document with other rows of one ordeal. Throws when it has no table. */
export function withRows(
  text: string,
  name: string,
  rows: readonly string[],
  order: readonly string[],
  date: string,
): string {
  const at = text.indexOf(KEPT_HEAD);
  if (at === -1) throw new Error('docs/ordeals.md has no table');
  const lines = text.slice(at + KEPT_HEAD.length + 1).split('\n');
  const end = lines.findIndex((line) => !line.startsWith('|'));
  const old = lines.slice(0, end === -1 ? lines.length : end);
  const others = old.filter((line) => nameOf(line) !== name && order.includes(nameOf(line)));
  const kept = [...others, ...rows.map((row) => `${row} ${date} |`)];
  // Sorting keeps the order of rows of one ordeal.
  kept.sort((a, b) => order.indexOf(nameOf(a)) - order.indexOf(nameOf(b)));
  return [text.slice(0, at) + KEPT_HEAD, ...kept, ...lines.slice(old.length)].join('\n');
}

function nameOf(line: string): string {
  return line.split('|')[1]?.trim() ?? '';
}

function inCell(text: string): string {
  return text.replaceAll('|', '\\|');
}
