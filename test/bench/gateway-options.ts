// gateway-options.ts -- the command line of the gateway bench

import { parseArgs } from 'node:util';
import { pick, wholeNumber } from './bench-options.ts';
import { GATEWAY_CASES, type GatewayCase, MAIN_CASE } from './gateway-case.ts';
import type { GatewayContestant } from './gateway-contestant.ts';
import { GATEWAYS } from './gateway-peers/gateway-table.ts';

export const GATEWAY_USAGE = `usage: npm run bench:gateway -- [OPTION...]

  --quick             2 rounds of 1 second: for trying things out, not for figures to quote
  --rounds N          rounds, in each of which every gateway is measured once (5)
  --seconds N         how long each gateway is measured in a round, once at full speed and once at a rate (3)
  --rate N            requests a second for latencies (half of what Rollcall carried at full speed)
  --connections N     of wrk (64)
  --only NAME,...     these gateways only: ${GATEWAYS.map(({ name }) => name).join(', ')}
  --case NAME,...     ${GATEWAY_CASES.map(({ name }) => name).join(', ')} (${MAIN_CASE.name}); all for every one
  --json FILE         write every sample of every round
  --svg FILE          write the chart
  --markdown FILE     write the tables; between the marks of an existing page, nothing else of it is changed
  --server-core N     the CPU that gateways are pinned to (0)
  --load-core N       the CPU that wrk and the upstream are pinned to (1)

\`npm run bench:peers\` installs wrk and HAProxy. BENCH_ROLLCALL is the main.js to measure, if not dist/main.js.`;

export interface GatewayBenchOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** Before the first round, so that what is compiled at run time has been. */
  readonly warmUpSeconds: number;
  /** Undefined: half of what Rollcall carried. */
  readonly ratePerSecond: number | undefined;
  readonly connections: number;
  readonly contestants: readonly GatewayContestant[];
  readonly cases: readonly GatewayCase[];
  readonly serverCore: number;
  readonly loadCore: number;
  readonly jsonFile: string | undefined;
  readonly svgFile: string | undefined;
  readonly markdownFile: string | undefined;
}

/** What to do. Throws an Error with one sentence for the user when the arguments are not understood. */
export function readGatewayOptions(args: readonly string[]): GatewayBenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      rate: { type: 'string' },
      connections: { type: 'string', default: '64' },
      only: { type: 'string' },
      case: { type: 'string', default: MAIN_CASE.name },
      json: { type: 'string' },
      svg: { type: 'string' },
      markdown: { type: 'string' },
      'server-core': { type: 'string', default: '0' },
      'load-core': { type: 'string', default: '1' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return 'help';
  const { quick } = values;
  const options = {
    rounds: wholeNumber('rounds', values.rounds ?? (quick ? '2' : '5'), 1),
    seconds: wholeNumber('seconds', values.seconds ?? (quick ? '1' : '3'), 1),
    warmUpSeconds: quick ? 2 : 5,
    ratePerSecond: values.rate === undefined ? undefined : wholeNumber('rate', values.rate, 1),
    connections: wholeNumber('connections', values.connections, 1),
    contestants: pick('only', values.only, GATEWAYS),
    cases: pick('case', values.case === 'all' ? undefined : values.case, GATEWAY_CASES),
    serverCore: wholeNumber('server-core', values['server-core'], 0),
    loadCore: wholeNumber('load-core', values['load-core'], 0),
    jsonFile: values.json,
    svgFile: values.svg,
    markdownFile: values.markdown,
  };
  if (options.serverCore === options.loadCore) throw new Error('--server-core and --load-core must differ');
  return options;
}
