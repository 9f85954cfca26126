// lease-restarts.test.ts -- leases over restarts: what is left is left, downtime does not count, and nobody is immortal

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { silentLogger } from '../../src/base/log.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { Mutation, Precondition, Store } from '../../src/registry/store.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anInstance } from '../support/registrations.ts';
import { UnrulyStore } from '../support/unruly-store.ts';

/** What a process has of a store: when it is killed, nothing that it asks for happens any more. */
class KillableStore extends UnrulyStore {
  isKilled = false;

  override async commit(mutations: readonly Mutation[], preconditions?: readonly Precondition[]): Promise<number> {
    if (this.isKilled) return await new Promise<never>(() => {});
    return await super.commit(mutations, preconditions);
  }
}

/** A server that starts, stops and dies again and again on one store; time goes on meanwhile. */
class Restarter {
  readonly clock = new FakeClock();
  readonly #inner: Store = openMemoryStore();
  #store = new KillableStore(this.#inner);
  /** The process that was killed is gone with its timers: each has a clock of its own. */
  #ownClock = new ProcessClock(this.clock);
  #registry: Registry | undefined;
  /** Time in which heartbeats could come, in all. */
  upMs = 0;

  get registry(): Registry {
    assert.ok(this.#registry !== undefined, 'the server is down');
    return this.#registry;
  }

  get store(): KillableStore {
    return this.#store;
  }

  async start(): Promise<void> {
    this.#store = new KillableStore(this.#inner);
    this.#ownClock = new ProcessClock(this.clock);
    this.#registry = await Registry.open({ store: this.#store, clock: this.#ownClock, log: silentLogger });
  }

  async run(ms: number): Promise<void> {
    await this.clock.advance(ms);
    this.upMs += ms;
  }

  kill(): void {
    this.#store.isKilled = true;
    this.#ownClock.end();
    this.#registry = undefined;
  }

  async stop(): Promise<void> {
    await this.registry.stop();
    this.#ownClock.end();
    this.#registry = undefined;
  }

  isThere(id = 'a'): boolean {
    return this.registry.instance(id)?.status === 'healthy';
  }

  async keys(): Promise<string[]> {
    return (await this.#inner.load()).records.map(({ key }) => key).sort();
  }
}

/** The clock as one process sees it. */
class ProcessClock extends FakeClock {
  readonly #clock: FakeClock;
  #ended = false;

  constructor(clock: FakeClock) {
    super();
    this.#clock = clock;
  }

  override wallMs(): number {
    return this.#clock.wallMs();
  }

  override monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  override after(delayMs: number, callback: () => void): ReturnType<FakeClock['after']> {
    return this.#clock.after(delayMs, () => {
      if (!this.#ended) callback();
    });
  }

  override afterTurn(callback: () => void): void {
    this.after(0, callback);
  }

  end(): void {
    this.#ended = true;
  }
}

async function aServer(leaseTtlMs: number): Promise<Restarter> {
  const server = new Restarter();
  await server.start();
  await server.registry.register(anInstance({ leaseTtlMs }));
  return server;
}

const MINUTE = 60_000;

describe('after a restart a lease', () => {
  for (const how of ['stop', 'kill'] as const) {
    it(`has what was left of it and at most a second more (${how})`, async () => {
      const server = await aServer(MINUTE);
      await server.run(40_500);
      await server[how]();
      await server.clock.advance(3_600_000);
      await server.start();
      assert.ok(server.isThere(), 'the hour that the server was down does not count');
      const leftMs = server.registry.instance('a')!.leaseExpiresAtMs! - server.clock.wallMs();
      assert.ok(leftMs >= 19_500 && leftMs <= 20_500, `${leftMs} ms are left of 19,500`);
      await server.run(19_000);
      assert.ok(server.isThere(), 'it has its time');
      await server.run(1500);
      assert.equal(server.registry.instance('a'), undefined);
    });
  }
  it('is whole when it was not stored yet', async () => {
    const server = await aServer(5000);
    server.kill();
    await server.start();
    await server.run(4999);
    assert.ok(server.isThere(), 'nothing was lost of it');
    await server.run(1);
    assert.equal(server.registry.instance('a'), undefined);
  });
  it('is renewed as ever', async () => {
    const server = await aServer(MINUTE);
    await server.run(50_000);
    server.kill();
    await server.start();
    server.registry.heartbeat('a', undefined);
    await server.run(59_999);
    assert.ok(server.isThere(), 'the heartbeat counts');
    await server.run(1);
    assert.equal(server.registry.instance('a'), undefined);
  });
  it('is not that of an earlier instance of its id', async () => {
    const server = await aServer(MINUTE);
    await server.run(50_000);
    await server.registry.deregister('a');
    await server.clock.advance(1);
    await server.registry.register(anInstance({ leaseTtlMs: MINUTE }));
    server.kill();
    await server.start();
    await server.run(59_000);
    assert.ok(server.isThere(), 'it was registered anew');
  });
  it('is no longer than the instance asks for', async () => {
    const server = await aServer(MINUTE);
    await server.run(1000);
    await server.registry.update('a', (before) => ({ ...before, leaseTtlMs: 5000 }));
    server.kill();
    await server.start();
    await server.run(5000);
    assert.equal(server.registry.instance('a'), undefined);
  });
});

describe('what is stored of leases', () => {
  it('goes with the instance, and the rest with the last of them', async () => {
    const server = await aServer(MINUTE);
    await server.registry.register(anInstance({ id: 'b', leaseTtlMs: MINUTE }));
    await server.run(2000);
    const before = await server.keys();
    assert.equal(before.filter((key) => key.startsWith('lease')).length, 3, `two pages and the clock: ${before}`);
    await server.registry.deregister('b');
    await server.run(1000);
    assert.equal((await server.keys()).length, before.length - 2);
    await server.registry.register(anInstance());
    await server.run(1000);
    assert.deepEqual(await server.keys(), ['instance/a'], 'without a leaseTtl there is no lease');
  });
  it('is cleared at the start when nobody has a lease any more', async () => {
    const server = await aServer(MINUTE);
    await server.run(1000);
    await server.registry.deregister('a');
    server.kill();
    await server.start();
    await server.run(1000);
    assert.deepEqual(await server.keys(), []);
  });
  it('is one batch a second, whoever beats', async () => {
    const server = await aServer(MINUTE);
    for (let i = 0; i < 500; i++) await server.registry.register(anInstance({ id: `b-${i}`, leaseTtlMs: MINUTE }));
    await server.run(5000);
    const before = server.store.asked.length;
    for (let tenth = 0; tenth < 100; tenth++) {
      for (let i = 0; i < 500; i++) server.registry.heartbeat(`b-${i}`, undefined);
      await server.run(100);
    }
    const batches = server.store.asked.slice(before);
    assert.ok(batches.length >= 9 && batches.length <= 11, `${batches.length} batches in 10 s`);
    assert.ok(
      batches.every((keys) => keys.length <= 257),
      'no more than all pages and the clock',
    );
  });
  it('is only the time when nobody beats', async () => {
    const server = await aServer(MINUTE);
    await server.run(5000);
    const before = server.store.asked.length;
    await server.run(5000);
    assert.deepEqual(
      server.store.asked.slice(before),
      Array.from({ length: 5 }, () => ['lease-clock/up']),
    );
  });
  it('may fail to be, and no lease suffers', async () => {
    const server = await aServer(3000);
    server.store.failing = true;
    for (let i = 0; i < 20; i++) {
      await server.run(1000);
      server.registry.heartbeat('a', undefined);
    }
    assert.ok(server.isThere(), 'heartbeats count without a disk');
    server.store.failing = false;
    await server.run(1000);
    assert.equal((await server.keys()).filter((key) => key.startsWith('lease')).length, 2);
    server.kill();
    await server.start();
    await server.run(1000);
    assert.ok(server.isThere(), 'and are stored when there is one again');
  });
  it('may fail to be at the start', async () => {
    const server = await aServer(3000);
    await server.run(1000);
    server.kill();
    const clock = new FakeClock();
    const store = new UnrulyStore(openMemoryStore());
    await store.commit([
      { key: 'instance/a', value: { instance: anInstance({ leaseTtlMs: 3000 }), registeredAtMs: 1 } },
    ]);
    store.failing = true;
    const registry = await Registry.open({ store, clock, log: silentLogger });
    assert.equal(registry.instance('a')?.status, 'healthy');
    await registry.stop();
    assert.equal(clock.pendingCount, 0);
  });
});

/** A time the server is up, how it ends, and for how long it is down. */
const session = (leastUpMs: number, mostUpMs: number) =>
  fc.record({
    upMs: fc.integer({ min: leastUpMs, max: mostUpMs }),
    end: fc.constantFrom('stop' as const, 'kill' as const),
    downMs: fc.constantFrom(0, 10, 3_600_000),
  });
const ttl = fc.integer({ min: 1000, max: 20_000 });

describe('over any number of restarts', () => {
  it('an instance that beats in time stays', async () => {
    const plan = ttl.chain((leaseTtlMs) => {
      const beatMs = Math.floor(leaseTtlMs / 3);
      // Long enough that one of its heartbeats is stored.
      const sessions = fc.array(session(beatMs + 1100, 3 * leaseTtlMs + 1100), { minLength: 1, maxLength: 8 });
      return fc.record({ leaseTtlMs: fc.constant(leaseTtlMs), beatMs: fc.constant(beatMs), sessions });
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ leaseTtlMs, beatMs, sessions }) => {
        const server = await aServer(leaseTtlMs);
        let nextBeatMs = beatMs;
        for (const { upMs, end, downMs } of sessions) {
          const untilMs = server.upMs + upMs;
          for (; nextBeatMs <= untilMs; nextBeatMs += beatMs) {
            await server.run(nextBeatMs - server.upMs);
            assert.ok(server.isThere(), `gone after ${server.upMs} ms`);
            server.registry.heartbeat('a', undefined);
          }
          await server.run(untilMs - server.upMs);
          assert.ok(server.isThere(), `gone after ${server.upMs} ms`);
          await server[end]();
          await server.clock.advance(downMs);
          await server.start();
        }
        assert.ok(server.isThere(), 'gone at the start');
      }),
      { numRuns: 100 },
    );
  });
  it('a silent one is gone after its leaseTtl and a second of server time', async () => {
    const sessions = fc.array(fc.oneof(session(0, 300), session(0, 3000), session(0, 20_000)), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(ttl, fc.nat(2500), sessions, async (leaseTtlMs, beforeMs, all) => {
        const server = await aServer(leaseTtlMs);
        await server.run(Math.min(beforeMs, leaseTtlMs - 1));
        server.registry.heartbeat('a', undefined);
        // What is not stored of a lease yet begins anew: one second at most, as it is with every store behind.
        await server.run(1000);
        const limitMs = server.upMs + leaseTtlMs;
        for (const { upMs, end, downMs } of all) {
          await server.run(Math.max(0, Math.min(upMs, limitMs - server.upMs)));
          if (server.upMs >= limitMs) break;
          await server[end]();
          await server.clock.advance(downMs);
          await server.start();
        }
        await server.run(Math.max(0, limitMs - server.upMs));
        assert.equal(server.registry.instance('a'), undefined, `still there after ${server.upMs} ms`);
      }),
      { numRuns: 200 },
    );
  });
  it('even when no start lives for as long as it takes to store them', async () => {
    const server = await aServer(5000);
    await server.run(1000);
    let starts = 0;
    while (server.registry.instance('a') !== undefined) {
      await server.run(40);
      server.kill();
      await server.start();
      starts += 1;
      assert.ok(starts <= 150, 'it is immortal');
    }
    // Each start is charged 50 ms, of which it uses 40.
    assert.ok(starts >= 80, `gone after ${starts} starts`);
  });
});
