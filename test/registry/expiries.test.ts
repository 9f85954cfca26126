// expiries.test.ts -- what a shared store let go too early is put there again, and what it let go rightly goes

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startNode } from '../support/cluster-node.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance } from '../support/registrations.ts';
import { SharedWorld } from '../support/shared-store.ts';

const LEASE_MS = 5_000;
const KEY = 'instance/x';

async function twoNodes() {
  const clock = new FakeClock();
  const world = new SharedWorld(clock);
  const nodes = [await startNode(world, 'a'), await startNode(world, 'b')] as const;
  const statuses = () => nodes.map((node) => node.statusOf('x'));
  const kinds = () => nodes.map(({ changes }) => changes.map(({ kind }) => kind).join(' '));
  return { clock, world, nodes, statuses, kinds };
}

describe('a lease that ends too early', () => {
  it('is given again by whoever heard of the instance, and nobody sees it gone', async () => {
    const { clock, world, nodes, statuses, kinds } = await twoNodes();
    await nodes[0].registry.register(anInstance({ id: 'x', leaseTtlMs: LEASE_MS }));
    await clock.advance(4_000);
    nodes[1].registry.heartbeat('x', undefined);
    await clock.advance(2_000);
    world.expire(KEY);
    await clock.advance(10);
    assert.ok(world.records.has(KEY), 'the other node put it there again');
    assert.deepEqual(statuses(), ['healthy', 'healthy']);
    assert.deepEqual(kinds(), ['register update', 'register update']);
    await clock.advance(LEASE_MS + 1_000 + 1_500);
    assert.deepEqual(statuses(), [undefined, undefined], 'it still ends when nobody renews it');
  });

  it('ends all the same when nobody heard of it in time', async () => {
    const { clock, world, nodes, statuses } = await twoNodes();
    await nodes[0].registry.register(anInstance({ id: 'x', leaseTtlMs: LEASE_MS }));
    await clock.advance(LEASE_MS + 500);
    world.expire(KEY);
    await clock.advance(1_400);
    assert.deepEqual(statuses(), ['healthy', 'healthy'], 'it is waited for');
    await clock.advance(200);
    assert.deepEqual(statuses(), [undefined, undefined]);
    assert.deepEqual(nodes[0].changes.at(-1)?.by, { kind: 'lease' });
    assert.ok(!world.records.has(KEY), 'nobody put it there again');
  });

  it('is given again when a heartbeat comes while it is waited for', async () => {
    const { clock, world, nodes, statuses } = await twoNodes();
    await nodes[0].registry.register(anInstance({ id: 'x', leaseTtlMs: LEASE_MS }));
    await clock.advance(LEASE_MS + 500);
    world.expire(KEY);
    await clock.advance(1_000);
    nodes[1].registry.heartbeat('x', undefined);
    await clock.advance(4_000);
    assert.deepEqual(statuses(), ['healthy', 'healthy']);
  });

  it('is given again once the store can be reached', async () => {
    const { clock, world, nodes, statuses } = await twoNodes();
    await nodes[0].registry.register(anInstance({ id: 'x', leaseTtlMs: 20_000 }));
    world.refuse('a', true);
    world.expire(KEY);
    await clock.advance(4_000);
    assert.deepEqual(statuses(), ['healthy', undefined], 'the other one cannot know');
    world.refuse('a', false);
    await clock.advance(2_000);
    assert.deepEqual(statuses(), ['healthy', 'healthy']);
  });

  for (const [what, node] of [
    ['the same node', 0],
    ['another node', 1],
  ] as const) {
    it(`yields to a registration of other content at ${what}`, async () => {
      const { clock, world, nodes, statuses } = await twoNodes();
      await nodes[0].registry.register(anInstance({ id: 'x', leaseTtlMs: LEASE_MS }));
      await clock.advance(LEASE_MS + 500);
      world.expire(KEY);
      const { isNew } = await nodes[node].registry.register(anInstance({ id: 'x', leaseTtlMs: LEASE_MS, weight: 9 }));
      assert.ok(isNew, 'the one before is gone');
      await clock.advance(2_000);
      assert.deepEqual(statuses(), ['healthy', 'healthy']);
      assert.equal(nodes[0].registry.instance('x')?.instance.weight, 9);
      assert.equal(nodes[1].registry.instance('x')?.instance.weight, 9);
    });

    it(`is over for who deregisters the instance at ${what}`, async () => {
      const { clock, world, nodes, statuses } = await twoNodes();
      await nodes[0].registry.register(anInstance({ id: 'x', leaseTtlMs: LEASE_MS }));
      await clock.advance(LEASE_MS + 500);
      world.expire(KEY);
      await assert.rejects(nodes[node].registry.deregister('x'), { code: 'unknown_instance' });
      assert.equal(statuses()[node], undefined);
      await clock.advance(2_000);
      assert.deepEqual(statuses(), [undefined, undefined]);
      assert.ok(!world.records.has(KEY), 'nobody put it there again');
    });
  }
});

describe('a heartbeat check whose time ends too early', () => {
  it('stays as it is when a heartbeat came in time, and is critical a moment later when none did', async () => {
    const { clock, world, nodes, statuses, kinds } = await twoNodes();
    const check = aCheck('beat', { type: 'heartbeat', intervalMs: LEASE_MS });
    await nodes[0].registry.register(anInstance({ id: 'x', checks: [check] }));
    nodes[1].registry.beat('x', { status: 'passing' });
    await clock.advance(100);
    const before = kinds();
    await clock.advance(2_000);
    world.expire('beat/x/beat');
    await clock.advance(2_000);
    assert.ok(world.records.has('beat/x/beat'), 'it was put there again');
    assert.deepEqual([statuses(), kinds()], [['healthy', 'healthy'], before]);
    await clock.advance(LEASE_MS + 3_000);
    assert.deepEqual(statuses(), ['unhealthy', 'unhealthy'], 'its time ends when nobody comes');
  });
});
