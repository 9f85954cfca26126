// malformed.ts -- a million malformed messages over UDP and TCP to a running server: none is answered as a query

import { startCorpusServer, throwMalformed } from '../support/malformed.ts';
import type { OrdealRow, Scope } from './ordeal-result.ts';

const SEEDS = [1, 2, 3, 4, 5];
const PER_SEED = 200_000;
const PROMISED = { growthMib: 32, p99Ms: 20 };

export async function malformed(scope: Scope): Promise<OrdealRow[]> {
  const server = await startCorpusServer(scope);
  const { crew, probe, growthMib } = await throwMalformed(scope, server, { seeds: SEEDS, perSeed: PER_SEED });
  const faults = Object.entries(crew.faults);
  const examples = faults.map(([what, { count, examples }]) => `${what}: ${count}, as ${examples[0]}`).join('; ');
  const { exitCode } = await server.stop();
  return [
    {
      what:
        `of ${crew.sent} malformed messages, ${SEEDS.length} seeds, UDP and TCP: wrong ids, replies to responses, silence, ` +
        `answers to what is no query ${examples}`,
      measured: String(faults.reduce((sum, [, { count }]) => sum + count, 0)),
      promised: '0',
      isKept: faults.length === 0 && crew.sent >= SEEDS.length * PER_SEED,
    },
    { what: 'alive; stops in order', measured: `exit ${exitCode}`, promised: 'exit 0', isKept: exitCode === 0 },
    {
      what: `honest queries lost of ${probe.asked}, beside ${Math.round(crew.messages / crew.seconds)} messages/s`,
      measured: String(probe.lost),
      promised: '0',
      isKept: probe.lost === 0,
    },
    {
      what: `p99 of these (worst ${probe.worstMs.toFixed(1)} ms)`,
      measured: `${probe.p99Ms.toFixed(2)} ms`,
      promised: `< ${PROMISED.p99Ms} ms`,
      isKept: probe.p99Ms < PROMISED.p99Ms,
    },
    {
      what: 'growth of resident memory',
      measured: `${growthMib.toFixed(1)} MiB`,
      promised: `< ${PROMISED.growthMib} MiB`,
      isKept: growthMib < PROMISED.growthMib,
    },
  ];
}
