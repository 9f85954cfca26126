// report.ts -- the tables of a run, in Markdown, and putting them into a page

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { BASE_CASE, CASES } from './bench-case.ts';
import type { BenchOptions } from './bench-options.ts';
import type { BenchResult } from './bench-run.ts';
import { isBusy, type Machine } from './machine.ts';
import { findMarks } from './marks.ts';
import type { Spread, Summary } from './sample.ts';

/** Where in a page a report stands: between these lines. */
type ReportMarks = readonly [begin: string, end: string];

const BENCH_MARKS: ReportMarks = ['<!-- bench: begin -->', '<!-- bench: end -->'];
/** A server that answers less than this share of what is offered has a queue: its latency is the queue's. */
export const CARRIED_SHARE = 0.95;

/** The whole report of a run. */
export function formatReport(result: BenchResult, options: BenchOptions, machine: Machine, startedAt: Date): string {
  const { summaries, skipped } = result;
  const parts = [formatConditions(options, machine, startedAt)];
  const base = summaries.filter(({ case: caseName }) => caseName === BASE_CASE.name);
  if (base.length > 0) parts.push(formatServers(base, options));
  const cases = summaries.filter(({ case: caseName, name }) => caseName !== BASE_CASE.name || name === 'rollcall');
  if (cases.some(({ case: caseName }) => caseName !== BASE_CASE.name)) parts.push(formatCases(cases));
  const marks = findMarks(summaries).map(({ what, ratio, most, isMet }) => [
    what,
    ratio.toFixed(2),
    `<= ${most.toFixed(2)}`,
    isMet ? 'met' : '**missed**',
  ]);
  if (marks.length > 0) parts.push(table(['CPU per answer', 'ratio', 'mark', ''], marks));
  if (skipped.length > 0) {
    parts.push(['Not measured:', '', ...skipped.map(({ title, reason }) => `- ${title}: ${reason}`)].join('\n'));
  }
  return `${parts.join('\n\n')}\n`;
}

function formatConditions(options: BenchOptions, machine: Machine, startedAt: Date): string {
  const { rounds, seconds, pacedSeconds, ratePerSecond } = options;
  const lines = [
    `${startedAt.toISOString().slice(0, 10)}, ${machine.cores} x ${machine.cpu}, ${machine.system}, Node ${machine.node}.`,
    `${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s at full speed and ${pacedSeconds} s at ` +
      `${count(ratePerSecond)} queries a second; medians, and in brackets the lowest and the highest round.`,
  ];
  if (isBusy(machine)) {
    lines.push(
      `**Other work ran on this machine (${Math.round(machine.busyShare * 100)} % busy before the run): not for quoting.**`,
    );
  }
  return lines.join('\n');
}

function formatServers(summaries: readonly Summary[], { ratePerSecond }: BenchOptions): string {
  const own = summaries.find(({ name }) => name === 'rollcall')?.cpuUs.median;
  const atRate = `at ${count(ratePerSecond)}/s`;
  const head = ['server', 'CPU us per answer', 'user', 'system', 'ratio', 'answers/s', 'core busy', 'octets'];
  const notCarried = summaries.filter((each) => each.pacedPerSecond.median < ratePerSecond * CARRIED_SHARE);
  const rows = [...summaries]
    .sort((a, b) => a.cpuUs.median - b.cpuUs.median)
    .map((each) => [
      `${each.title}${each.version === '' ? '' : ` ${each.version}`}`,
      withSpread(each.cpuUs, us),
      us(each.userUs.median),
      us(each.systemUs.median),
      own === undefined ? '' : (each.cpuUs.median / own).toFixed(2),
      withSpread(each.answersPerSecond, thousands),
      `${Math.round(each.busyShare.median * 100)} %`,
      String(Math.round(each.replyBytes.median)),
      us(each.pacedCpuUs.median),
      `${Math.round(each.p50Us.median)}${notCarried.includes(each) ? ' *' : ''}`,
      withSpread(each.p99Us, (value) => String(Math.round(value))),
      String(each.lost),
    ]);
  const text = table([...head, `CPU us ${atRate}`, `p50 us ${atRate}`, `p99 us ${atRate}`, 'lost'], rows);
  const notes = summaries.flatMap(({ title, note }) => (note === undefined ? [] : [`- ${title} ${note}.`]));
  if (notCarried.length > 0) notes.push(`- \\* could not carry ${count(ratePerSecond)} queries a second.`);
  return notes.length === 0 ? text : [text, '', ...notes].join('\n');
}

function formatCases(summaries: readonly Summary[]): string {
  const base = summaries.find(({ case: caseName }) => caseName === BASE_CASE.name)?.cpuUs.median;
  const rows = summaries.map((each) => [
    CASES.find(({ name }) => name === each.case)?.title ?? each.case,
    withSpread(each.cpuUs, us),
    base === undefined ? '' : (each.cpuUs.median / base).toFixed(2),
    withSpread(each.answersPerSecond, thousands),
    String(Math.round(each.replyBytes.median)),
    String(Math.round(each.p50Us.median)),
    String(Math.round(each.p99Us.median)),
    String(each.lost),
  ]);
  const title = summaries[0]?.title ?? '';
  return table([title, 'CPU us per answer', 'ratio', 'answers/s', 'octets', 'p50 us', 'p99 us', 'lost'], rows);
}

export function us(value: number): string {
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}

export function thousands(value: number): string {
  return `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)}k`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

export function withSpread({ median, min, max }: Spread, format: (value: number) => string): string {
  return `${format(median)} (${format(min)}-${format(max)})`;
}

/** A Markdown table; all columns but the first to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, column) => (column === 0 ? '---' : '--:'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Throws when a file is there that has no marks to write between: it may hold somebody's text. */
export function checkReportFile(file: string, marks: ReportMarks = BENCH_MARKS): void {
  if (existsSync(file)) splitAtMarks(file, marks);
}

/** Write the report to a new file, or between the marks of one that is there. */
export function writeReport(file: string, report: string, marks: ReportMarks = BENCH_MARKS): void {
  const [before, after] = existsSync(file) ? splitAtMarks(file, marks) : ['', '\n'];
  writeFileSync(file, `${before}${marks[0]}\n\n${report}\n${marks[1]}${after}`);
}

function splitAtMarks(file: string, [beginMark, endMark]: ReportMarks): [before: string, after: string] {
  const page = readFileSync(file, 'utf8');
  const begin = page.indexOf(beginMark);
  const end = page.indexOf(endMark);
  if (begin < 0 || end < begin) throw new Error(`${file} does not hold the lines ${beginMark} and ${endMark}`);
  return [page.slice(0, begin), page.slice(end + endMark.length)];
}
