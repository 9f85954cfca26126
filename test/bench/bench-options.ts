// bench-options.ts -- the command line of the bench

import { parseArgs } from 'node:util';
import { BASE_CASE, type BenchCase, CASES } from './bench-case.ts';
import type { Contestant } from './contestant.ts';
import { CONTESTANTS } from './peers/peer-table.ts';

export const USAGE = `usage: npm run bench -- [OPTION...]

  --quick             2 rounds of 1 second: for trying things out, not for figures to quote
  --rounds N          rounds, in each of which every server is measured once (5)
  --seconds N         how long each server is measured at full speed in a round (3)
  --rate N            queries a second for latencies (10000)
  --only NAME,...     these servers only: ${CONTESTANTS.map(({ name }) => name).join(', ')}
  --case NAME,...     base (all servers) and, for Rollcall alone, ${CASES.slice(1)
    .map(({ name }) => name)
    .join(', ')}; all for every one
  --json FILE         write every sample of every round
  --svg FILE          write the chart
  --markdown FILE     write the tables; between the marks of an existing page, nothing else of it is changed
  --server-core N     the CPU that servers are pinned to (0)
  --load-core N       the CPU that dnsperf is pinned to (1)
  --install           install the servers to compare with (npm run bench:peers), and measure nothing
  --registrations     durable registrations a second beside etcd's puts, and nothing else
  --micro             without sockets: what reading and answering one query costs in one process

BENCH_ROLLCALL is the main.js to measure, if not dist/main.js.`;

export interface BenchOptions {
  /** Not name servers, but writes beside etcd's. */
  readonly registrations: boolean;
  readonly rounds: number;
  readonly seconds: number;
  /** Before the first round, so that what is compiled at run time has been. */
  readonly warmUpSeconds: number;
  readonly pacedSeconds: number;
  readonly ratePerSecond: number;
  readonly contestants: readonly Contestant[];
  readonly cases: readonly BenchCase[];
  readonly serverCore: number;
  readonly loadCore: number;
  readonly jsonFile: string | undefined;
  readonly svgFile: string | undefined;
  readonly markdownFile: string | undefined;
}

/** What to do. Throws an Error with one sentence for the user when the arguments are not understood. */
export function readOptions(args: readonly string[]): BenchOptions | 'help' | 'install' | 'micro' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      rate: { type: 'string', default: '10000' },
      only: { type: 'string' },
      case: { type: 'string', default: BASE_CASE.name },
      json: { type: 'string' },
      svg: { type: 'string' },
      markdown: { type: 'string' },
      'server-core': { type: 'string', default: '0' },
      'load-core': { type: 'string', default: '1' },
      install: { type: 'boolean' },
      micro: { type: 'boolean' },
      registrations: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return 'help';
  if (values.install) return 'install';
  if (values.micro) return 'micro';
  const { quick } = values;
  const options = {
    registrations: values.registrations,
    rounds: wholeNumber('rounds', values.rounds ?? (quick ? '2' : '5'), 1),
    seconds: wholeNumber('seconds', values.seconds ?? (quick ? '1' : '3'), 1),
    warmUpSeconds: quick ? 1 : 4,
    pacedSeconds: quick ? 1 : 2,
    ratePerSecond: wholeNumber('rate', values.rate, 1),
    contestants: pick('only', values.only, CONTESTANTS),
    cases: pick('case', values.case === 'all' ? undefined : values.case, CASES),
    serverCore: wholeNumber('server-core', values['server-core'], 0),
    loadCore: wholeNumber('load-core', values['load-core'], 0),
    jsonFile: values.json,
    svgFile: values.svg,
    markdownFile: values.markdown,
  };
  if (options.serverCore === options.loadCore) throw new Error('--server-core and --load-core must differ');
  return options;
}

/** Throws when it is less, or no whole number. */
export function wholeNumber(name: string, text: string, least: number): number {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least)) throw new Error(`--${name} must be a whole number, ${least} or more: ${text}`);
  return value;
}

/** Those that are named, in the order of the table; without names all. Throws for a name that is none of them. */
export function pick<T extends { readonly name: string }>(
  option: string,
  text: string | undefined,
  all: readonly T[],
): T[] {
  if (text === undefined) return [...all];
  const names = text.split(',');
  const unknown = names.find((name) => !all.some((each) => each.name === name));
  if (unknown !== undefined) {
    throw new Error(`--${option}: ${unknown} is none of ${all.map(({ name }) => name).join(', ')}`);
  }
  return all.filter(({ name }) => names.includes(name));
}
