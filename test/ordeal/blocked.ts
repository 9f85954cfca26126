// blocked.ts -- the main thread stands still for ten seconds: answers by UDP go on all the while

import { FaultyServer } from '../support/faulty-server.ts';
import { percentile, QueryLoad, readAnswer } from '../support/query-load.ts';
import type { OrdealRow, Scope } from './ordeal-result.ts';

const BLOCKED_MS = 10_000;
const QUERIES_PER_SECOND = 2000;
const ADDRESS = '10.1.0.1';

export async function blocked(scope: Scope): Promise<OrdealRow[]> {
  const { server, blockMainThread } = await start(scope);
  const load = await QueryLoad.start(server.dns, 'cart-service.service.local', QUERIES_PER_SECOND);
  await blockMainThread();
  const fromMs = performance.now();
  await server.api('GET', '/healthz');
  const untilMs = performance.now();
  await load.stop();
  const meanwhile = load.exchanges.filter(({ sentMs }) => sentMs > fromMs && sentMs < untilMs - 1000);
  const latencies: number[] = [];
  let wrong = 0;
  for (const { sentMs, type, reply } of meanwhile) {
    if (reply === undefined) continue;
    latencies.push(reply.receivedMs - sentMs);
    const { rcode, data } = readAnswer(reply.octets);
    if (rcode !== 0 || data.length !== 1 || (type === 'A' && data[0] !== ADDRESS)) wrong++;
  }
  const lost = meanwhile.length - latencies.length;
  const p99Ms = percentile(latencies, 0.99);
  const stoodStillMs = Math.round(untilMs - fromMs);
  return [
    {
      what: `queries lost, of ${meanwhile.length}, while the main thread stood still for ${stoodStillMs} ms`,
      measured: String(lost),
      promised: '0',
      isKept: lost === 0 && meanwhile.length > 0,
    },
    { what: 'answers that are not right', measured: String(wrong), promised: '0', isKept: wrong === 0 },
    {
      what: 'p99 latency meanwhile',
      measured: `${p99Ms.toFixed(2)} ms`,
      promised: '1000 ms',
      isKept: p99Ms <= 1000,
    },
  ];
}

async function start(scope: Scope) {
  const faulty = await FaultyServer.start(scope, { config: { dns: { workers: 1 }, store: { kind: 'memory' } } });
  await faulty.server.register('cart-service', 'cart-1', { address: ADDRESS, port: 8080 });
  return { server: faulty.server, blockMainThread: () => faulty.blockMainThread(BLOCKED_MS) };
}
