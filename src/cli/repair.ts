// repair.ts -- `rollcall serve --repair`: rebuild the store before the server starts, and tell what came back

import type { Config } from '../config/config.ts';
import { type RepairReport, repairStore } from '../stores/repair.ts';
import { printable } from './output.ts';
import type { Terminal } from './terminal.ts';

const MAX_LISTED = 20;

/** Repair the store of a configuration, when it has one on disk, and print the report to standard error. */
export async function repairConfigured(config: Config, terminal: Terminal): Promise<void> {
  if (config.store.kind !== 'lmdb') {
    terminal.err(`the store is of kind ${config.store.kind}: there is nothing to repair\n`);
    return;
  }
  terminal.err(`repairing ${config.store.path} ...\n`);
  terminal.err(describeRepair(await repairStore(config.store.path, new Date())));
}

/** The report of a repair, for people. */
function describeRepair(report: RepairReport): string {
  const { wasDamaged, records, revision, faults, snapshot, fromSnapshot, fromStray, keptAs } = report;
  if (!wasDamaged) return `the store is in order: ${count(records, 'record')} at revision ${revision}\n`;
  const read = records - fromSnapshot.length - fromStray.length;
  const lines = [
    `the store is rebuilt: ${count(records, 'record')} at revision ${revision}`,
    `  ${count(read, 'record')} read from the damaged file`,
    snapshot === undefined
      ? '  there was no snapshot: what was not readable is lost'
      : `  ${count(fromSnapshot.length, 'record')} from ${snapshot.file}, as of revision ${snapshot.revision}${snapshot.isWhole ? '' : ' (itself damaged)'}: later changes to them are lost`,
    ...listed(fromSnapshot),
    `  ${count(fromStray.length, 'record')} found on pages that nothing led to: later changes to them are lost, deletions too`,
    ...listed(fromStray),
    '  what was wrong:',
    ...listed(faults),
    ...(keptAs === undefined ? [] : [`  the damaged file is kept as ${keptAs}`]),
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function listed(texts: readonly string[]): string[] {
  const shown = texts.slice(0, MAX_LISTED).map((text) => `    ${text}`);
  return texts.length > MAX_LISTED ? [...shown, `    and ${texts.length - MAX_LISTED} more`] : shown;
}
