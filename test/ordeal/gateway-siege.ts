// gateway-siege.ts -- hundreds of slow readers and writers, clients that go away, an instance that resets connections

import { besiegeGateway } from '../support/gateway-siege.ts';
import type { OrdealOptions, OrdealRow, Scope } from './ordeal-result.ts';

const MINUTES = 0.5;
const CROWD = { slowReaders: 300, slowWriters: 300, aborting: 50 };
const MOST_GROWTH_MIB = 200;

export async function gatewaySiege(scope: Scope, options: OrdealOptions): Promise<OrdealRow[]> {
  const seconds = (options.minutes ?? MINUTES) * 60;
  const result = await besiegeGateway(scope, { ...CROWD, seconds });
  const beside = `${CROWD.slowReaders} slow readers, ${CROWD.slowWriters} slow writers and ${result.aborted} that went away in ${seconds} s`;
  for (const line of new Set([...result.slowFailed, ...result.resetsWrong])) console.error(line);
  const none = (what: string, found: number, of: number): OrdealRow => ({
    what,
    measured: String(found),
    promised: '0',
    isKept: found === 0 && of > 0,
  });
  return [
    none(`honest requests that failed, of ${result.honest}, beside ${beside}`, result.honestFailed, result.honest),
    none(`of ${result.slow} slow readers and writers, not served to the end`, result.slowFailed.length, result.slow),
    none(
      `of ${result.resets} replies that the instance broke off, those not passed on as 502 or as broken off`,
      result.resetsWrong.length,
      result.resets,
    ),
    {
      what: 'growth of resident memory',
      measured: `${result.growthMib.toFixed(1)} MiB`,
      promised: `< ${MOST_GROWTH_MIB} MiB`,
      isKept: result.growthMib < MOST_GROWTH_MIB,
    },
    {
      what: `descriptors open afterwards; before: ${result.descriptorsBefore}`,
      measured: String(result.descriptorsAfter),
      promised: `<= ${result.descriptorsBefore}`,
      isKept: result.descriptorsAfter <= result.descriptorsBefore,
    },
    {
      what: 'alive; stops in order',
      measured: `exit ${result.exitCode}`,
      promised: 'exit 0',
      isKept: result.exitCode === 0,
    },
  ];
}
