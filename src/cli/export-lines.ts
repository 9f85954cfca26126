// export-lines.ts -- the lines of an export: JSON, one thing a line, a header first and a count last

import { CodedError, type ErrorDetail } from '../base/errors.ts';
import type { CheckDefaults } from '../registry/validate-check.ts';
import { readInstance } from '../registry/validate-instance.ts';
import { readPolicy } from '../registry/validate-policy.ts';
import { type RolloutPlace, readPlace } from './rollout-place.ts';

const FORMAT = 'rollcall-export';
const FORMAT_VERSION = 1;

/** One line between the first and the last. */
export type ExportEntry =
  | {
      readonly kind: 'policy';
      readonly service: string;
      readonly policy: Readonly<Record<string, unknown>>;
      /** How far its steps have come. */
      readonly rollout?: RolloutPlace;
    }
  | {
      readonly kind: 'instance';
      readonly service: string;
      readonly id: string;
      /** As it is registered. */
      readonly instance: Readonly<Record<string, unknown>>;
      readonly draining?: boolean;
      /** The reason. */
      readonly maintenance?: string;
    };

/** An entry and where it stands. */
export interface ExportLine {
  readonly line: number;
  readonly entry: ExportEntry;
}

/** What an instance has beyond its registration, and what a check has beyond its set-up. */
const STATE_FIELDS = [
  'status',
  'reason',
  'revision',
  'registeredAt',
  'static',
  'lease',
  'load',
  'lastAnswerable',
  'balancedBy',
  'warmth',
];
const CHECK_STATE_FIELDS = ['outcome', 'output', 'latencyMs', 'since', 'failing', 'damping', 'vantages'];

/** The first line. */
export function exportHeader(now: Date): string {
  return `${JSON.stringify({ format: FORMAT, version: FORMAT_VERSION, exportedAt: now.toISOString() })}\n`;
}

/** A line for each entry. */
export function exportLine(entry: ExportEntry): string {
  return `${JSON.stringify(entry)}\n`;
}

/** The last line: a file without it was cut. */
export function exportEnd(entries: number): string {
  return `${JSON.stringify({ kind: 'end', entries })}\n`;
}

/** The registration in an instance as the API shows it. */
export function registrationOf(shown: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const checks = ((shown.checks as Record<string, unknown>[] | undefined) ?? []).map((check) =>
    without(check, CHECK_STATE_FIELDS),
  );
  return { ...without(shown, STATE_FIELDS), checks };
}

function without(object: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

/** Take an export apart. `problems` names every line that cannot be imported; then nothing should be. */
export function readExport(text: string): { lines: readonly ExportLine[]; problems: readonly LineProblem[] } {
  const lines: ExportLine[] = [];
  const problems: LineProblem[] = [];
  const rows = text.split('\n');
  let isEnded = false;
  for (const [index, row] of rows.entries()) {
    if (row.trim() === '') continue;
    const line = index + 1;
    try {
      const value = parseRow(row);
      if (line === 1) checkHeader(value);
      else if (isEnded) throw new CodedError('invalid', 'stands after the end');
      else if (value.kind === 'end') {
        isEnded = true;
        if (value.entries !== lines.length + problems.length)
          throw new CodedError(
            'invalid',
            `the end tells of ${value.entries} entries, there are ${lines.length + problems.length}`,
          );
      } else lines.push({ line, entry: readEntry(value) });
    } catch (thrown) {
      problems.push(...problemsOf(line, thrown));
    }
  }
  if (!isEnded && problems.length === 0)
    problems.push({ line: rows.length, message: 'the file is cut: its last line is missing' });
  return { lines, problems };
}

/** What is wrong with one line. */
export interface LineProblem {
  readonly line: number;
  readonly message: string;
}

/** The problems of a line that was refused with an error. */
export function problemsOf(line: number, thrown: unknown): LineProblem[] {
  if (!(thrown instanceof CodedError)) throw thrown;
  const told = (detail: ErrorDetail) => (detail.path === '' ? detail.message : `${detail.path}: ${detail.message}`);
  if (thrown.details.length === 0) return [{ line, message: thrown.message }];
  return thrown.details.map((detail) => ({ line, message: told(detail) }));
}

function parseRow(row: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(row);
  } catch {
    throw new CodedError('invalid', 'is not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new CodedError('invalid', 'is not a JSON object');
}

function checkHeader({ format, version }: Record<string, unknown>): void {
  if (format !== FORMAT) throw new CodedError('invalid', 'is not the first line of an export');
  if (version !== FORMAT_VERSION) {
    throw new CodedError('invalid', `is of version ${String(version)}; this program knows ${FORMAT_VERSION}`);
  }
}

/** What a server has for checks that say nothing; the values do not matter for whether a line is valid. */
const CHECK_DEFAULTS: CheckDefaults = { intervalMs: 5000, timeoutMs: 2000, rise: 2, fall: 3, allowExec: true };

/** Check an entry as the server will, but for what its own configuration decides. */
function readEntry(value: Record<string, unknown>): ExportEntry {
  const { kind, service, id, draining = false, maintenance } = value;
  if (kind !== 'instance' && kind !== 'policy')
    throw new CodedError('invalid', `is of kind ${JSON.stringify(kind)}, which is not known`);
  if (typeof service !== 'string') throw new CodedError('invalid', 'has no service');
  if (kind === 'policy') {
    const { steps } = readPolicy(value.policy);
    const rollout = readPlace(value.rollout, steps?.length ?? 0);
    const policy = value.policy as Record<string, unknown>;
    return { kind, service, policy, ...(rollout === undefined ? {} : { rollout }) };
  }
  if (typeof id !== 'string') throw new CodedError('invalid', 'has no id');
  if (typeof draining !== 'boolean') throw new CodedError('invalid', 'draining must be true or false');
  if (maintenance !== undefined && typeof maintenance !== 'string')
    throw new CodedError('invalid', 'maintenance must be a text');
  readInstance(value.instance, { service, id }, { checkDefaults: CHECK_DEFAULTS, domains: [] });
  return {
    ...{ kind, service, id, instance: value.instance as Record<string, unknown> },
    ...(draining ? { draining } : {}),
    ...(maintenance === undefined ? {} : { maintenance }),
  };
}
