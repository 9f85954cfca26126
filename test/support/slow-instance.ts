// slow-instance.ts -- twenty instances behind the gateway, one of them ten times slower, by least-connections

import { setTimeout as sleep } from 'node:timers/promises';
import { SERVICE, startGatewayServer, startInstances } from './gateway-server.ts';
import { HttpLoad } from './http-load.ts';
import { percentile } from './query-load.ts';

export interface SlowInstanceOptions {
  readonly seconds: number;
  readonly perSecond: number;
  readonly instances: number;
  /** How long a healthy one takes, and the slow one. */
  readonly delayMs: number;
  readonly slowDelayMs: number;
}

export interface SlowInstanceResult {
  readonly requests: number;
  readonly failed: number;
  /** Requests of the slow one over those that each would have if all had as many. */
  readonly shareOfEqual: number;
  readonly p99Ms: number;
  /** Of requests that others than the slow one answered. */
  readonly healthyP99Ms: number;
}

/** Nothing is known of any instance at first: what comes in this time does not count. */
const WARM_UP_MS = 1000;

export async function loadWithSlowInstance(
  scope: { after(cleanup: () => unknown): void },
  { seconds, perSecond, instances, delayMs, slowDelayMs }: SlowInstanceOptions,
): Promise<SlowInstanceResult> {
  const { server, gateway } = await startGatewayServer(scope);
  const delays = Array.from({ length: instances }, (_, at) => (at === 0 ? slowDelayMs : delayMs));
  const [slow] = await startInstances(scope, server, delays);
  const { status } = await server.api('PUT', `/v1/services/${SERVICE}/policy`, { strategy: 'least-connections' });
  if (status !== 200) throw new Error(`the policy was not taken: HTTP ${status}`);
  const load = new HttpLoad(scope, gateway, { method: 'GET', path: '/work', perSecond });
  await sleep(WARM_UP_MS);
  const fromMs = performance.now();
  await sleep(seconds * 1000);
  const counted = (await load.stop()).filter(({ dueMs }) => dueMs >= fromMs);
  const good = counted.filter((each) => each.status === 200);
  const latencies = (of: typeof good): number[] => of.map(({ dueMs, endMs }) => endMs - dueMs);
  const ofSlow = good.filter(({ instance }) => instance === slow?.id);
  return {
    requests: counted.length,
    failed: counted.length - good.length,
    shareOfEqual: ofSlow.length / (good.length / instances),
    p99Ms: percentile(latencies(good), 0.99),
    healthyP99Ms: percentile(latencies(good.filter(({ instance }) => instance !== slow?.id)), 0.99),
  };
}
