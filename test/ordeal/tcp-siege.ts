// tcp-siege.ts -- a thousand hostile TCP connections beside honest clients: none of those loses a query

import { startBuiltServer } from '../support/built-server.ts';
import { besiege, type SiegeResult } from '../support/tcp-siege.ts';
import type { OrdealOptions, OrdealRow, Scope } from './ordeal-result.ts';

const CONNECTIONS = 1000;
const MINUTES = 1;
const SIEGE_PROMISES = { lost: 0, p99Ms: 250, growthMib: 20 };

export async function tcpSiege(scope: Scope, options: OrdealOptions): Promise<OrdealRow[]> {
  const minutes = options.minutes ?? MINUTES;
  const server = await startBuiltServer(scope, { config: { store: { kind: 'memory' } } });
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  const question = 'cart-service.service.local. A';
  return rowsOf(await besiege(scope, server, { connections: CONNECTIONS, seconds: minutes * 60, question }), minutes);
}

function rowsOf(siege: SiegeResult, minutes: number): OrdealRow[] {
  const { lost, p99Ms, growthMib } = SIEGE_PROMISES;
  const beside = `${CONNECTIONS} hostile TCP connections for ${minutes} min (${siege.opened} opened, ${siege.answered} pipelined replies)`;
  return [
    {
      what: `honest queries lost of ${siege.asked}, beside ${beside}`,
      measured: String(siege.lost),
      promised: String(lost),
      isKept: siege.lost === lost && siege.asked > 0,
    },
    {
      what: `p99 of honest queries over TCP, connecting included (worst ${siege.worstMs.toFixed(0)} ms)`,
      measured: `${siege.p99Ms.toFixed(1)} ms`,
      promised: `< ${p99Ms} ms`,
      isKept: siege.p99Ms < p99Ms,
    },
    {
      what: 'growth of resident memory',
      measured: `${siege.growthMib.toFixed(1)} MiB`,
      promised: `< ${growthMib} MiB`,
      isKept: siege.growthMib < growthMib,
    },
    {
      what: `descriptors open afterwards; before: ${siege.descriptorsBefore}`,
      measured: String(siege.descriptorsAfter),
      promised: `<= ${siege.descriptorsBefore}`,
      isKept: siege.descriptorsAfter <= siege.descriptorsBefore,
    },
  ];
}
