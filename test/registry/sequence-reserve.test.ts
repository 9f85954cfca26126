// sequence-reserve.test.ts -- sequences that rise over restarts, however many changes the store never saw

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { Store } from '../../src/registry/store.ts';
import { readInstance } from '../../src/registry/validate-instance.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';

const CHECK_DEFAULTS = { intervalMs: 5000, timeoutMs: 2000, rise: 2, fall: 3, allowExec: false };
const SPAN = 65_536;

describe('sequences', () => {
  it('go on above all that were given, though most changes were never stored', async () => {
    const store = openMemoryStore();
    const first = await start(store);
    await register(first);
    await settled();
    for (let i = 0; i < 5000; i++) flip(first);
    // No stop: as after kill -9.
    const second = await start(store);
    assert.ok(second.sequence >= first.sequence, `${second.sequence} follows ${first.sequence}`);
    assert.ok(second.sequence <= first.sequence + SPAN + 1, `${second.sequence} is not far from ${first.sequence}`);
  });
  it('are reserved anew long before they run out', async () => {
    const store = openMemoryStore();
    const first = await start(store);
    await register(first);
    await settled();
    for (let i = 0; i < SPAN * 2; i++) {
      flip(first);
      if (i % 1000 === 0) await settled();
    }
    assert.ok((await start(store)).sequence >= first.sequence);
  });
  it('are asked for again when the store failed', async () => {
    const memory = openMemoryStore();
    let fails = true;
    const store: Store = {
      ...bound(memory),
      commit: async (mutations, preconditions) => {
        if (fails && mutations[0]?.key === 'sequence/reserved') throw new Error('no space');
        return await memory.commit(mutations, preconditions);
      },
    };
    const clock = new FakeClock();
    const registry = await start(store, clock);
    await register(registry);
    await settled();
    assert.equal(await reserved(memory), undefined);
    fails = false;
    await clock.advance(1000);
    await settled();
    assert.ok((await reserved(memory))! >= registry.sequence + SPAN / 2);
  });
  it('a registry that need not keep them stores nothing', async () => {
    const store = openMemoryStore();
    const registry = await Registry.open({ store, clock: new FakeClock(), log: silentLogger });
    await register(registry);
    await settled();
    assert.equal(await reserved(store), undefined);
  });
});

async function start(store: Store, clock = new FakeClock()): Promise<Registry> {
  return await Registry.open({ store, clock, log: silentLogger, keepSequence: true });
}

async function register(registry: Registry): Promise<void> {
  const instance = { address: '10.0.0.1', port: 80, checks: [{ id: 'c', type: 'tcp', initial: 'passing' }] };
  const rules = { checkDefaults: CHECK_DEFAULTS, domains: ['service.local'] };
  await registry.register(readInstance(instance, { service: 'web', id: 'i' }, rules));
}

function flip(registry: Registry): void {
  const isPassing = registry.instance('i')!.status === 'healthy';
  registry.reportResult('i', 'c', { outcome: isPassing ? 'critical' : 'passing', output: '', latencyMs: 1 });
}

async function reserved(store: Store): Promise<number | undefined> {
  const { records } = await store.load();
  const found = records.find(({ key }) => key === 'sequence/reserved');
  return (found?.value as { upTo: number } | undefined)?.upTo;
}

function bound(store: Store): Store {
  return {
    kind: store.kind,
    load: () => store.load(),
    commit: (mutations, preconditions) => store.commit(mutations, preconditions),
    watch: (listener) => store.watch(listener),
    isUp: () => store.isUp(),
    close: () => store.close(),
  };
}

/** When the memory store has done all that was asked of it. */
async function settled(): Promise<void> {
  for (let i = 0; i < 8; i++) await new Promise((resolve) => setImmediate(resolve));
}
