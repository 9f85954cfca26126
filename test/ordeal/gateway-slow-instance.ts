// gateway-slow-instance.ts -- least-connections keeps requests away from an instance that is ten times slower

import { loadWithSlowInstance } from '../support/slow-instance.ts';
import type { OrdealOptions, OrdealRow, Scope } from './ordeal-result.ts';

const MINUTES = 0.5;
const LOAD = { perSecond: 1000, instances: 20, delayMs: 10, slowDelayMs: 100 };
export const SLOW_INSTANCE_PROMISES = { shareOfEqual: 0.2, p99Ratio: 1.5 };

export async function gatewaySlowInstance(scope: Scope, options: OrdealOptions): Promise<OrdealRow[]> {
  const seconds = (options.minutes ?? MINUTES) * 60;
  const result = await loadWithSlowInstance(scope, { ...LOAD, seconds });
  const { shareOfEqual, p99Ratio } = SLOW_INSTANCE_PROMISES;
  const ratio = result.p99Ms / result.healthyP99Ms;
  return [
    {
      what: `least-connections, ${LOAD.instances} instances, one 10 x slower, ${LOAD.perSecond} requests/s: what it gets of an equal share`,
      measured: `${(result.shareOfEqual * 100).toFixed(1)} %`,
      promised: `<= ${shareOfEqual * 100} %`,
      isKept: result.shareOfEqual <= shareOfEqual,
    },
    {
      what: `p99 of all (${result.p99Ms.toFixed(1)} ms) over that of the others (${result.healthyP99Ms.toFixed(1)} ms)`,
      measured: ratio.toFixed(2),
      promised: `<= ${p99Ratio}`,
      isKept: ratio <= p99Ratio,
    },
    {
      what: `requests that failed, of ${result.requests}`,
      measured: String(result.failed),
      promised: '0',
      isKept: result.failed === 0 && result.requests > 0,
    },
  ];
}
