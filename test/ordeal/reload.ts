// reload.ts -- everything that a reload takes up changes under load, with 100,000 instances; then the server stops under load

import { join } from 'node:path';
import { makeServerFolder } from '../support/built-server.ts';
import { type Asked, type StormResult, storm } from '../support/reload-storm.ts';
import { fillStore, INSTANCES } from './large-server.ts';
import type { OrdealOptions, OrdealRow, Scope } from './ordeal-result.ts';

const QUERIES_PER_SECOND = 1000;
const PAUSE_MS = 250;
const MINUTES = 0.75;
/** QueryLoad has an id for each query. */
const MAX_MINUTES = 2;
/** Of the answers over UDP; both ends on one machine. */
const P99_MS = 20;
const STOP_MS = 9000;

export async function reload(scope: Scope, options: OrdealOptions): Promise<OrdealRow[]> {
  const seconds = Math.min(options.minutes ?? MINUTES, MAX_MINUTES) * 60;
  const folder = makeServerFolder(scope);
  await fillStore(join(folder, 'data'));
  const result = await storm(scope, { seconds, queriesPerSecond: QUERIES_PER_SECOND, pauseMs: PAUSE_MS, folder });
  return [...duringReloads(result), ...atTheStop(result)];
}

function duringReloads(result: StormResult): OrdealRow[] {
  const { udp, tcp, tls, changes, refused, slowestReloadMs } = result;
  const kinds: readonly [string, Asked][] = [
    ['UDP', udp],
    ['TCP', tcp],
    ['TLS', tls],
  ];
  const among = `${changes} changes (${refused} refused) of zone, certificate, policy, listeners, settings; ${INSTANCES} instances`;
  return [
    ...kinds.map(([kind, { asked, lost, p99Ms, worstMs }]) => ({
      what: `lost of ${asked} queries over ${kind} during ${among}; p99 ${p99Ms.toFixed(2)} ms, worst ${worstMs.toFixed(0)} ms`,
      measured: String(lost),
      promised: '0',
      isKept: lost === 0 && asked > 0,
    })),
    {
      what: `answers that were neither of before nor of after a change, errors included ${[...new Set(result.wrong)].slice(0, 5).join('; ')}`,
      measured: String(result.wrong.length),
      promised: '0',
      isKept: result.wrong.length === 0,
    },
    {
      what: 'connections that ended though their listeners stayed',
      measured: String(result.closed),
      promised: '0',
      isKept: result.closed === 0,
    },
    {
      what: `p99 over UDP meanwhile (the slowest reload took ${slowestReloadMs.toFixed(0)} ms)`,
      measured: `${udp.p99Ms.toFixed(2)} ms`,
      promised: `< ${P99_MS} ms`,
      isKept: udp.p99Ms < P99_MS,
    },
  ];
}

function atTheStop({ stop, answeredAgain }: StormResult): OrdealRow[] {
  const { asked, lost, tookMs, exitCode } = stop;
  return [
    {
      what: `lost of ${asked} queries that came in the last 100 ms before SIGTERM`,
      measured: String(lost),
      promised: '0',
      isKept: lost === 0 && asked > 0,
    },
    {
      what: `time of the stop (exit code ${exitCode}; the next server answered on the same port: ${answeredAgain.length === 1 ? 'yes' : 'no'})`,
      measured: `${tookMs.toFixed(0)} ms`,
      promised: `< ${STOP_MS} ms`,
      isKept: tookMs < STOP_MS && exitCode === 0 && answeredAgain.length === 1,
    },
  ];
}
