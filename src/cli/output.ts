// output.ts -- how results are shown: tables for people, JSON for scripts, and nothing that could steer the terminal

import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import type { Terminal } from './terminal.ts';

const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/**
 * Text that somebody else wrote, on one line and without control characters or invisible format characters: a check's
 * output or a service's metadata must not be able to move the cursor, colour the screen or hide what stands there.
 */
export function printable(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\r\n\t]+/g, ' ')
    .replace(CONTROL, '');
}

/** JSON with a line end; characters that would steer a terminal are escaped, which JSON allows for every one. */
export function toJson(value: unknown, indent = 2): string {
  const text = JSON.stringify(value, null, indent);
  const escaped = text.replace(CONTROL, (found) => (found === '\n' ? found : escapeUnits(found)));
  return `${escaped}\n`;
}

function escapeUnits(text: string): string {
  let escaped = '';
  for (let i = 0; i < text.length; i++) escaped += `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`;
  return escaped;
}

/** A column: its heading, and a colour for what stands in it. */
export interface Column {
  readonly head: string;
  readonly color?: (text: string) => string;
}

/** Rows under headings: drawn on a terminal, columns two blanks apart elsewhere. Cells are made printable. */
export function renderTable(
  terminal: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const cells = rows.map((row) => row.map(printable));
  return terminal.isTerminal ? drawTable(terminal, columns, cells) : alignTable(columns, cells);
}

function drawTable(terminal: Terminal, columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: columns.map(({ head }) => terminal.colors.bold(head)),
    chars: RULES,
    // Colours of its own would ignore NO_COLOR.
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
  });
  table.push(...rows.map((row) => row.map((cell, index) => columns[index]?.color?.(cell) ?? cell)));
  return `${table.toString()}\n`;
}

const RULES = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '' },
};

function alignTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ head }) => head), ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  const toLine = (line: readonly string[]): string =>
    line
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd();
  return `${lines.map(toLine).join('\n')}\n`;
}

/** Colour of an instance's status. */
export function statusColor({ colors }: Terminal): (status: string) => string {
  return (status) => {
    if (status === 'healthy') return colors.green(status);
    if (status === 'unhealthy') return colors.red(status);
    return colors.yellow(status);
  };
}
