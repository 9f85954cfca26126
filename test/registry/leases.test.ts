// leases.test.ts -- instances with a lease: renewed, expired, and what a failing or slow store makes of that

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anInstance } from '../support/registrations.ts';
import { UnrulyStore } from '../support/unruly-store.ts';

const LEASED = anInstance({ leaseTtlMs: 5000 });

async function setUp() {
  const clock = new FakeClock();
  const store = new UnrulyStore(openMemoryStore());
  const registry = await Registry.open({ store, clock, log: silentLogger });
  const told: string[] = [];
  registry.onChange(({ kind, instance }) => told.push(`${kind} ${instance?.status}`));
  const { state } = await registry.register(LEASED);
  assert.equal(state.leaseExpiresAtMs, clock.wallMs() + 5000);
  return { clock, store, registry, told, status: () => registry.instance('a')?.status };
}

/** What is stored, but for the leases, which are stored behind. */
async function keysIn(store: UnrulyStore): Promise<string[]> {
  return (await store.load()).records.map(({ key }) => key).filter((key) => !key.startsWith('lease'));
}

/** The commits asked for, but for those of leases. */
function writesIn(store: UnrulyStore): string[][] {
  return store.asked.filter(([first]) => first?.startsWith('lease') === false);
}

const UNKNOWN = { name: 'CodedError', code: 'unknown_instance' };

describe('a leased instance', () => {
  it('is deregistered when its lease runs out', async () => {
    const { clock, registry, store, told, status } = await setUp();
    await clock.advance(4999);
    assert.equal(status(), 'healthy');
    await clock.advance(1);
    assert.deepEqual([status(), registry.service('web'), await keysIn(store)], [undefined, undefined, []]);
    assert.deepEqual(told, ['register healthy', 'health unhealthy', 'deregister unhealthy']);
    assert.throws(() => registry.heartbeat('a', undefined), UNKNOWN);
  });
  it('stays while heartbeats come', async () => {
    const { clock, registry, store, told } = await setUp();
    for (let i = 0; i < 20; i++) {
      await clock.advance(4000);
      assert.equal(registry.heartbeat('a', { cpu: i }), clock.wallMs() + 5000);
    }
    assert.deepEqual([registry.instance('a')?.load, told], [{ cpu: 19 }, ['register healthy']]);
    assert.equal(writesIn(store).length, 1, 'no heartbeat is a write of its own');
    assert.equal(registry.instance('a')?.leaseExpiresAtMs, clock.wallMs() + 5000);
    await clock.advance(5000);
    assert.equal(registry.instance('a'), undefined);
  });
  it('stays while it registers again, changed or not', async () => {
    const { clock, registry, status } = await setUp();
    await clock.advance(4000);
    await registry.register(structuredClone(LEASED));
    await clock.advance(4000);
    await registry.register({ ...LEASED, weight: 2 });
    await clock.advance(4000);
    assert.equal(status(), 'healthy');
    await clock.advance(1000);
    assert.equal(status(), undefined);
  });
  it('is not renewed by what others change', async () => {
    const { clock, registry, status } = await setUp();
    await clock.advance(4000);
    await registry.update('a', (before) => ({ ...before, weight: 2 }));
    await registry.setMaintenance('a', 'x');
    await registry.setMaintenance('a', undefined);
    assert.equal(status(), 'healthy');
    await clock.advance(1000);
    assert.equal(status(), undefined);
  });
  it('loses its lease, or gets a shorter one, by registering so', async () => {
    const { clock, registry, status } = await setUp();
    await registry.register(anInstance());
    assert.equal(registry.instance('a')?.leaseExpiresAtMs, undefined);
    await clock.advance(60_000);
    assert.equal(status(), 'healthy');
    await registry.register({ ...LEASED, leaseTtlMs: 60_000 });
    await registry.register({ ...LEASED, leaseTtlMs: 1000 });
    await clock.advance(1000);
    assert.equal(status(), undefined);
  });
  for (const held of ['drained', 'in maintenance']) {
    it(`is deregistered when it is ${held}, too`, async () => {
      const { clock, registry, store } = await setUp();
      if (held === 'drained') await registry.setDraining('a', true);
      else await registry.setMaintenance('a', 'x');
      await clock.advance(5000);
      assert.deepEqual([registry.instance('a'), await keysIn(store)], [undefined, []]);
    });
  }
  it('does not take a lease of its id with it when it is deregistered', async () => {
    const { clock, registry, status } = await setUp();
    await clock.advance(4000);
    await registry.deregister('a');
    await registry.register(LEASED);
    await clock.advance(4000);
    assert.equal(status(), 'healthy');
  });
  it('is not sent away by a clock that is set', async () => {
    const { clock, status } = await setUp();
    clock.jumpWall(3_600_000);
    await clock.advance(4999);
    assert.equal(status(), 'healthy');
  });
});

describe('while the store fails', () => {
  it('an expired instance is out of the answers at once, and deregistered later', async () => {
    const { clock, registry, store, told, status } = await setUp();
    store.failing = true;
    await clock.advance(5000);
    assert.deepEqual([status(), registry.instance('a')?.reason], ['unhealthy', 'lease expired']);
    await clock.advance(10_000);
    assert.equal(writesIn(store).length, 12, 'one try a second');
    store.failing = false;
    await clock.advance(1000);
    assert.deepEqual(told, ['register healthy', 'health unhealthy', 'deregister unhealthy']);
    await clock.advance(1000);
    assert.deepEqual([clock.pendingCount, (await store.load()).records], [0, []]);
  });
  it('a heartbeat brings it back, and the next silence sends it away again', async () => {
    const { clock, registry, store, status } = await setUp();
    store.failing = true;
    await clock.advance(5500);
    registry.heartbeat('a', undefined);
    assert.equal(status(), 'healthy');
    store.failing = false;
    await clock.advance(4999);
    assert.equal(status(), 'healthy');
    await clock.advance(1);
    assert.equal(status(), undefined);
  });
  it('registering as before brings it back', async () => {
    const { clock, registry, store, status } = await setUp();
    store.failing = true;
    await clock.advance(5500);
    await registry.register(structuredClone(LEASED));
    store.failing = false;
    await clock.advance(4000);
    assert.equal(status(), 'healthy');
  });
});

describe('while the deregistration of an expired instance is under way', () => {
  it('registering it holds', async () => {
    const { clock, registry, store, status } = await setUp();
    const open = store.hold();
    await clock.advance(5000);
    const coming = registry.register(structuredClone(LEASED));
    open();
    assert.equal((await coming).isNew, true);
    await clock.advance(4999);
    assert.equal(status(), 'healthy');
  });
  it('a heartbeat is refused rather than forgotten', async () => {
    const { clock, registry, store, status } = await setUp();
    const open = store.hold();
    await clock.advance(5000);
    assert.equal(status(), 'unhealthy');
    assert.throws(() => registry.heartbeat('a', undefined), UNKNOWN);
    open();
    await clock.advance(1);
    assert.equal(status(), undefined);
  });
  it('a registration that was under way before it is left in peace', async () => {
    const { clock, registry, store, status } = await setUp();
    const open = store.hold();
    const coming = registry.register({ ...LEASED, weight: 2 });
    await clock.advance(5000);
    open();
    await coming;
    await clock.advance(100);
    assert.deepEqual([status(), registry.instance('a')?.instance.weight], ['healthy', 2]);
  });
});

it('static instances with a lease are out while silent, and never deregistered', async () => {
  const { clock, registry } = await setUp();
  registry.setStatic([anInstance({ id: 's', leaseTtlMs: 1000 })]);
  await clock.advance(2000);
  assert.equal(registry.instance('s')?.status, 'healthy', 'no lease before the first heartbeat');
  registry.heartbeat('s', undefined);
  await clock.advance(2000);
  assert.equal(registry.instance('s')?.reason, 'lease expired');
  registry.heartbeat('s', undefined);
  assert.equal(registry.instance('s')?.status, 'healthy');
});
