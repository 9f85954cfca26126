// gateway-report.ts -- the tables of a run of the gateway bench, in Markdown

import { GATEWAY_CASES } from './gateway-case.ts';
import { findGatewayMarks, type GatewayMark } from './gateway-marks.ts';
import type { GatewayBenchOptions } from './gateway-options.ts';
import type { GatewayBenchResult } from './gateway-run.ts';
import type { GatewaySummary } from './gateway-sample.ts';
import { isBusy, type Machine } from './machine.ts';
import { CARRIED_SHARE, table, thousands, us, withSpread } from './report.ts';

/** Between these in docs/performance.md. */
export const GATEWAY_MARKS = ['<!-- gateway: begin -->', '<!-- gateway: end -->'] as const;

/** Above this, what is measured at a rate is as much the load as the gateway. */
const MAX_LATE_SHARE = 0.05;

/** The whole report of a run. */
export function formatGatewayReport(
  { summaries, skipped }: GatewayBenchResult,
  options: GatewayBenchOptions,
  machine: Machine,
  startedAt: Date,
): string {
  const parts = [formatConditions(options, machine, startedAt)];
  for (const { name, title } of GATEWAY_CASES) {
    const of = summaries.filter(({ case: caseName }) => caseName === name);
    if (of.length > 0) parts.push(`**${title}**`, formatCase(of));
  }
  const marks = findGatewayMarks(summaries);
  if (marks.length > 0) parts.push(table(['Rollcall beside others', 'measured', 'mark', ''], marks.map(markRow)));
  if (skipped.length > 0)
    parts.push(['Not measured:', '', ...skipped.map(({ title, reason }) => `- ${title}: ${reason}`)].join('\n'));
  return `${parts.join('\n\n')}\n`;
}

function formatConditions(
  { rounds, seconds, connections }: GatewayBenchOptions,
  machine: Machine,
  startedAt: Date,
): string {
  const lines = [
    `${startedAt.toISOString().slice(0, 10)}, ${machine.cores} x ${machine.cpu}, ${machine.system}, Node ${machine.node}.`,
    `${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s at full speed with ${connections} connections and ` +
      `${seconds} s at a fixed rate; medians, and in brackets the lowest and the highest round.`,
  ];
  if (isBusy(machine)) {
    const percent = Math.round(machine.busyShare * 100);
    lines.push(`**Other work ran on this machine (${percent} % busy before the run): not for quoting.**`);
  }
  return lines.join('\n');
}

function formatCase(summaries: readonly GatewaySummary[]): string {
  const reference = summaries.find(({ role }) => role === 'reference')?.cpuUs.median;
  const own = summaries.find(({ role }) => role === 'own')?.perSecond.median;
  const rate = Math.round(summaries[0]?.ratePerSecond ?? Number.NaN);
  const atRate = `at ${rate.toLocaleString('en-US')}/s`;
  const isCarried = (each: GatewaySummary): boolean => each.pacedPerSecond.median >= rate * CARRIED_SHARE;
  const rows = [...summaries]
    .sort((a, b) => b.perSecond.median - a.perSecond.median)
    .map((each) => [
      `${each.title}${each.version === '' ? '' : ` ${each.version}`}`,
      withSpread(each.perSecond, thousands),
      own === undefined ? '' : (own / each.perSecond.median).toFixed(2),
      withSpread(each.cpuUs, us),
      us(each.userUs.median),
      us(each.systemUs.median),
      reference === undefined ? '' : (each.cpuUs.median / reference).toFixed(2),
      `${Math.round(each.busyShare.median * 100)} %`,
      `${Math.round(each.p50Us.median)}${isCarried(each) ? '' : ' *'}`,
      withSpread(each.p99Us, (value) => String(Math.round(value))),
      String(each.errors),
    ]);
  const head = ['gateway', 'requests/s', 'Rollcall / it', 'CPU us per request', 'user', 'system', 'ratio', 'core busy'];
  const text = table([...head, `p50 us ${atRate}`, `p99 us ${atRate}`, 'errors'], rows);
  const notes: string[] = [];
  if (!summaries.every(isCarried))
    notes.push(`- \\* could not carry ${rate.toLocaleString('en-US')} requests a second.`);
  const late = Math.max(...summaries.map(({ lateShare }) => lateShare.median));
  if (late > MAX_LATE_SHARE)
    notes.push(`- The load was late with ${Math.round(late * 100)} % of the requests at a fixed rate.`);
  return notes.length === 0 ? text : [text, '', ...notes].join('\n');
}

function markRow({ what, value, atLeast, atMost, isMet }: GatewayMark): string[] {
  const digits = atMost === 0 ? 0 : 2;
  const mark = atLeast === undefined ? `<= ${(atMost ?? 0).toFixed(digits)}` : `>= ${atLeast.toFixed(digits)}`;
  return [what, value.toFixed(digits), mark, isMet ? 'met' : '**missed**'];
}
