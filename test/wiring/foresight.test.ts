// foresight.test.ts -- how many explanations and simulations there may be, and what ends them

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { parsePrefix } from '../../src/base/ip.ts';
import { TYPE } from '../../src/dns/codes.ts';
import { parseName } from '../../src/dns/name.ts';
import { AddressClient } from '../../src/nameserver/client.ts';
import { foresightOf, MAX_EXPLANATIONS } from '../../src/wiring/foresight.ts';
import { NameServer } from '../support/name-server.ts';

const never = new AbortController().signal;

// biome-ignore lint/correctness/useYield: there is nothing to do
function* asItIs<T>(outcome: T): Generator<void, T> {
  return outcome;
}

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
  const first = foresight.simulate(wish(10_000), {}, asItIs, gone.signal);
  await assert.rejects(foresight.simulate(wish(1), undefined, asItIs, never), { code: 'rate_limited' });
  gone.abort();
  await assert.rejects(first, { code: 'stopping' });
  const { now, then } = await foresight.simulate(wish(10), undefined, asItIs, never);
  assert.ok(now.requests > 0, 'the next one runs');
  assert.equal(then, undefined);
});

test('explanations come one after the other, and are refused when too many wait', async () => {
  const server = await NameServer.open();
  await server.registerMany('web', 2);
  const foresight = foresightOf(() => server.handler.view, server.registry, systemClock);
  const question = { name: parseName('web.service.local.'), type: TYPE.A, client: new AddressClient('10.0.0.1') };
  const log: number[] = [];
  const ask = (number: number, signal = never) =>
    foresight.explain(
      question,
      {
        begun: () => log.push(number),
        *present({ instances }) {
          yield;
          log.push(number);
          return instances.length;
        },
      },
      signal,
    );
  const gone = new AbortController();
  const first = Array.from({ length: MAX_EXPLANATIONS - 1 }, (_, i) => ask(i));
  const left = assert.rejects(ask(99, gone.signal), { code: 'stopping' });
  await assert.rejects(ask(100), { code: 'rate_limited' });
  gone.abort();
  assert.deepEqual(await Promise.all(first), new Array(MAX_EXPLANATIONS - 1).fill(2));
  await left;
  assert.deepEqual(
    log,
    first.flatMap((_, i) => [i, i]),
  );
  assert.equal(await ask(101), 2, 'there is room again');
  const refused = foresight.explain(
    question,
    {
      begun: () => {
        throw new RangeError('not for you');
      },
      present: asItIs,
    },
    never,
  );
  await assert.rejects(refused, RangeError);
  assert.equal(await ask(102), 2, 'what was refused is over');
});
