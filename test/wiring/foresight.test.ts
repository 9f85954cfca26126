// foresight.test.ts -- a simulation that nobody waits for ends, and leaves the way free for the next one

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { parsePrefix } from '../../src/base/ip.ts';
import { TYPE } from '../../src/dns/codes.ts';
import { foresightOf } from '../../src/wiring/foresight.ts';
import { NameServer } from '../support/name-server.ts';

test('a simulation ends with the interest in it, and another may begin', async () => {
  const server = await NameServer.open();
  await server.registerMany('web', 3);
  const foresight = foresightOf(() => server.handler.view, server.registry, systemClock);
  const { name, instances, rollout } = server.registry.service('web')!;
  const wish = (clients: number) => ({
    service: { name, instances: [...instances.values()], rollout },
    ...{
      type: TYPE.A,
      picks: 'first' as const,
      clients,
      durationMs: 60_000,
      requestsPerSecond: 1,
      failures: [],
      seed: 1,
    },
    network: parsePrefix('10.0.0.0/8')!,
    serviceTimesMs: [100, 100, 100],
  });
  const gone = new AbortController();
  const first = foresight.simulate(wish(10_000), {}, gone.signal);
  await assert.rejects(foresight.simulate(wish(1), undefined, new AbortController().signal), { code: 'rate_limited' });
  gone.abort();
  await assert.rejects(first, { code: 'stopping' });
  const { now, then } = await foresight.simulate(wish(10), undefined, new AbortController().signal);
  assert.ok(now.requests > 0, 'the next one runs');
  assert.equal(then, undefined);
});
