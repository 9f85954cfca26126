// gateway.ts -- Rollcall's gateway beside HAProxy and the gateways of Node (npm run bench:gateway)
//
// docs/performance.md explains what is measured and how to read it.

import { writeFileSync } from 'node:fs';
import { formatChart } from './chart.ts';
import { MAIN_CASE } from './gateway-case.ts';
import { findGatewayMarks } from './gateway-marks.ts';
import { GATEWAY_USAGE, type GatewayBenchOptions, readGatewayOptions } from './gateway-options.ts';
import { formatGatewayReport, GATEWAY_MARKS } from './gateway-report.ts';
import { runGatewayBench } from './gateway-run.ts';
import { describeMachine, isBusy } from './machine.ts';
import { Progress } from './progress.ts';
import { checkReportFile, writeReport } from './report.ts';

// An exit in the ordinary way: then the gateways are ended as well.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: ReturnType<typeof readGatewayOptions>;
  try {
    options = readGatewayOptions(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${GATEWAY_USAGE}`);
    return 2;
  }
  if (options === 'help') {
    console.log(GATEWAY_USAGE);
    return 0;
  }
  return await compare(options).catch((error: Error) => {
    console.error(`bench: ${error.message}`);
    return 1;
  });
}

async function compare(options: GatewayBenchOptions): Promise<number> {
  const progress = new Progress();
  const machine = await describeMachine();
  const startedAt = new Date();
  if (isBusy(machine)) progress.note('other work runs on this machine: the figures will be off');
  const { markdownFile, jsonFile, svgFile, rounds, seconds, connections } = options;
  if (markdownFile !== undefined) checkReportFile(markdownFile, GATEWAY_MARKS);
  const result = await runGatewayBench(options, progress);
  const report = formatGatewayReport(result, options, machine, startedAt);
  if (jsonFile !== undefined) {
    const marks = findGatewayMarks(result.summaries);
    const whole = { startedAt, machine, rounds, seconds, connections, marks, ...result };
    writeFileSync(jsonFile, `${JSON.stringify(whole, null, 2)}\n`);
  }
  if (svgFile !== undefined) {
    const main = result.summaries.filter(({ case: caseName }) => caseName === MAIN_CASE.name);
    writeFileSync(svgFile, formatChart(main, MAIN_CASE.title, 'Gateway CPU per request'));
  }
  if (markdownFile !== undefined) writeReport(markdownFile, report, GATEWAY_MARKS);
  console.log(report);
  return result.summaries.length > 0 ? 0 : 1;
}
