// bench.ts -- Rollcall and other name servers side by side: CPU per answer, answers a second, latency (npm run bench)
//
// docs/performance.md explains what is measured and how to read it.

import { writeFileSync } from 'node:fs';
import { BASE_CASE } from './bench-case.ts';
import { type BenchOptions, readOptions, USAGE } from './bench-options.ts';
import { runBench } from './bench-run.ts';
import { formatChart } from './chart.ts';
import { installPeers } from './install-peers.ts';
import { describeMachine, isBusy } from './machine.ts';
import { findMarks } from './marks.ts';
import { Progress } from './progress.ts';
import { formatRegistrations, REGISTRATION_MARKS } from './registration-report.ts';
import { benchRegistrations } from './registrations.ts';
import { checkReportFile, formatReport, writeReport } from './report.ts';

// An exit in the ordinary way: then the servers are ended as well.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (options === 'install') return (await installPeers()) ? 0 : 1;
  if (options === 'help') console.log(USAGE);
  else if (options === 'micro') await import('./micro.ts');
  else return await (options.registrations ? compareRegistrations(options) : compare(options)).catch(fail);
  return 0;
}

async function compare(options: BenchOptions): Promise<number> {
  const progress = new Progress();
  const machine = await describeMachine();
  const startedAt = new Date();
  if (isBusy(machine)) progress.note('other work runs on this machine: the figures will be off');
  const { rounds, seconds, ratePerSecond, jsonFile, svgFile, markdownFile } = options;
  if (markdownFile !== undefined) checkReportFile(markdownFile);
  const result = await runBench(options, progress);
  const report = formatReport(result, options, machine, startedAt);
  if (jsonFile !== undefined) {
    const marks = findMarks(result.summaries);
    const whole = { startedAt, machine, rounds, seconds, ratePerSecond, marks, ...result };
    writeFileSync(jsonFile, `${JSON.stringify(whole, null, 2)}\n`);
  }
  if (svgFile !== undefined) {
    const base = result.summaries.filter(({ case: caseName }) => caseName === BASE_CASE.name);
    writeFileSync(svgFile, formatChart(base, `${BASE_CASE.title}, A 70 %, SRV 30 %`));
  }
  if (markdownFile !== undefined) writeReport(markdownFile, report);
  console.log(report);
  return result.summaries.length > 0 ? 0 : 1;
}

async function compareRegistrations(options: BenchOptions): Promise<number> {
  const progress = new Progress();
  const machine = await describeMachine();
  const startedAt = new Date();
  if (isBusy(machine)) progress.note('other work runs on this machine: the figures will be off');
  const { markdownFile, jsonFile } = options;
  if (markdownFile !== undefined) checkReportFile(markdownFile, REGISTRATION_MARKS);
  const results = await benchRegistrations(options, progress);
  const report = formatRegistrations(results, options, machine, startedAt);
  if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify({ startedAt, machine, results }, null, 2)}\n`);
  if (markdownFile !== undefined) writeReport(markdownFile, report, REGISTRATION_MARKS);
  console.log(report);
  return 0;
}

function fail(error: Error): number {
  console.error(`bench: ${error.message}`);
  return 1;
}
