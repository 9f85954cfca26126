// gateway-feed.test.ts -- what the gateway has under way becomes what DNS balances by

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import type { Policy } from '../../src/registry/policy.ts';
import { Registry } from '../../src/registry/registry.ts';
import { LiveLoad } from '../../src/routing/live-load.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { Dynamics } from '../../src/wiring/dynamics.ts';
import { GatewayFeed } from '../../src/wiring/gateway-feed.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anInstance } from '../support/registrations.ts';

async function setUp(policy: Policy) {
  const clock = new FakeClock();
  const registry = await Registry.open({ store: openMemoryStore(), clock, log: silentLogger });
  const dynamics = new Dynamics({ registry, clock, tell: () => {} });
  const loads = new Map<string, LiveLoad>();
  const reports: string[] = [];
  const feed = new GatewayFeed({
    clock,
    registry,
    loads: () => Array.from(loads, ([instance, { inFlight, latency }]) => ({ instance, inFlight, latency })),
    report: (state, report) => {
      reports.push(state.instance.id);
      dynamics.report(state, report);
    },
  });
  await registry.setPolicy('web', policy);
  for (const id of ['busy', 'idle']) {
    await registry.register(anInstance({ id }));
    loads.set(id, new LiveLoad());
  }
  return { clock, registry, loads, reports, feed, dynamics, load: (id: string) => loads.get(id)! };
}

it('tells connections of those that have some, once a second, and their end', async () => {
  const { clock, registry, loads, reports, feed, dynamics, load } = await setUp({ strategy: 'least-connections' });
  loads.set('gone', new LiveLoad());
  load('gone').begin();
  for (let i = 0; i < 8; i++) load('busy').begin();
  await clock.advance(1100);
  assert.deepEqual(reports, ['busy']);
  assert.equal(registry.instance('busy')?.connections, 8);
  for (let i = 0; i < 8; i++) load('busy').end();
  await clock.advance(1000);
  assert.equal(registry.instance('busy')?.connections, 6, 'a moment without is not the end');
  await clock.advance(60_000);
  const { length } = reports;
  assert.ok(length < 30, `${length} reports: it ends`);
  assert.equal(registry.instance('idle')?.connections, undefined);
  feed.stop();
  load('busy').begin();
  await clock.advance(200_000);
  assert.equal(reports.length, length);
  assert.equal(registry.instance('busy')?.connections, undefined);
  dynamics.stop();
});

it('tells latencies that are new', async () => {
  const { clock, registry, reports, feed, dynamics, load } = await setUp({ strategy: 'latency' });
  load('busy').begin();
  load('busy').sample(70, clock.monotonicMs() + 1);
  await clock.advance(1100);
  assert.equal(registry.instance('busy')?.latencyMs, 70);
  await clock.advance(5000);
  assert.deepEqual(reports, ['busy']);
  await clock.advance(60_000);
  assert.equal(registry.instance('busy')?.latencyMs, undefined);
  feed.stop();
  dynamics.stop();
});

it('tells nothing where no policy goes by it', async () => {
  const { clock, reports, feed, dynamics, load } = await setUp({ strategy: 'weighted' });
  load('busy').begin();
  load('busy').sample(70, 1);
  await clock.advance(5000);
  assert.deepEqual(reports, []);
  feed.stop();
  dynamics.stop();
});
