// gateway-deploy.ts -- rolling deploys and random kills behind the gateway: no request that may be repeated fails

import { deployUnderLoad } from '../support/rolling-deploy.ts';
import type { OrdealOptions, OrdealRow, Scope } from './ordeal-result.ts';

const MINUTES = 1;
const LOAD = { instances: 6, getsPerSecond: 900, postsPerSecond: 100 };

export async function gatewayDeploy(scope: Scope, options: OrdealOptions): Promise<OrdealRow[]> {
  const seconds = (options.minutes ?? MINUTES) * 60;
  const result = await deployUnderLoad(scope, { ...LOAD, seconds });
  const { gets, failedGets, posts, failedInFlight, failedElsewhere, replaced, killed } = result;
  const meanwhile = `${replaced} of ${LOAD.instances} instances replaced and ${killed} killed in ${seconds} s`;
  return [
    {
      what: `idempotent requests that failed, of ${gets}; ${meanwhile}`,
      measured: withStatuses(failedGets),
      promised: '0',
      isKept: failedGets.length === 0 && gets >= LOAD.getsPerSecond * seconds * 0.95,
    },
    {
      what: `of ${posts} that may not be sent twice, those that failed and were not under way when an instance was killed; ${failedInFlight.length} were`,
      measured: withStatuses(failedElsewhere),
      promised: '0',
      isKept: failedElsewhere.length === 0 && killed > 0,
    },
  ];
}

/** How many, and which. */
function withStatuses(statuses: readonly number[]): string {
  if (statuses.length === 0) return '0';
  return `${statuses.length} (${[...new Set(statuses)].map((status) => status || 'broken off').join(', ')})`;
}
