// registration-report.ts -- the table of the registrations bench, and whether its marks are met

import type { Machine } from './machine.ts';
import { isBusy } from './machine.ts';
import type { RegistrationOptions, RegistrationResult, RegistrationSample } from './registrations.ts';

/** Between these in docs/performance.md. */
export const REGISTRATION_MARKS = ['<!-- registrations: begin -->', '<!-- registrations: end -->'] as const;

const MOST_P99_RATIO = 2;

/** Rollcall first, etcd second. */
export function formatRegistrations(
  results: readonly RegistrationResult[],
  options: RegistrationOptions,
  machine: Machine,
  startedAt: Date,
): string {
  const [own, other] = results.map(({ samples }) => samples);
  const rows = results.map(({ title, samples }) =>
    row([title, spread(samples, 'perSecond', 0), spread(samples, 'p50Ms', 2), spread(samples, 'p99Ms', 2)]),
  );
  const rate = median(own ?? [], 'perSecond') / median(other ?? [], 'perSecond');
  const p99 = median(own ?? [], 'p99Ms') / median(other ?? [], 'p99Ms');
  return [
    `${startedAt.toISOString().slice(0, 10)}, ${machine.cores} x ${machine.cpu}, ${machine.system}, Node ${machine.node}.`,
    `64 clients, ${options.rounds} rounds of ${options.seconds} s; medians, and in brackets the lowest and the highest round.`,
    ...(isBusy(machine) ? ['**Other work ran on this machine: not for quoting.**'] : []),
    '',
    row(['server', 'durable writes/s', 'p50 ms', 'p99 ms']),
    row(['---', '--:', '--:', '--:']),
    ...rows,
    '',
    row(['Rollcall / etcd', 'ratio', 'mark', '']),
    row(['---', '--:', '--:', '--:']),
    row(['durable writes/s', rate.toFixed(2), '>= 1.00', rate >= 1 ? 'met' : '**missed**']),
    row(['p99', p99.toFixed(2), `<= ${MOST_P99_RATIO.toFixed(2)}`, p99 <= MOST_P99_RATIO ? 'met' : '**missed**']),
    '',
  ].join('\n');
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function sorted(samples: readonly RegistrationSample[], field: keyof RegistrationSample): number[] {
  return samples.map((sample) => sample[field]).sort((a, b) => a - b);
}

function median(samples: readonly RegistrationSample[], field: keyof RegistrationSample): number {
  return sorted(samples, field)[Math.floor(samples.length / 2)] ?? Number.NaN;
}

function spread(samples: readonly RegistrationSample[], field: keyof RegistrationSample, digits: number): string {
  const values = sorted(samples, field);
  const [least, most] = [values[0] ?? Number.NaN, values.at(-1) ?? Number.NaN];
  return `${median(samples, field).toFixed(digits)} (${least.toFixed(digits)}-${most.toFixed(digits)})`;
}
