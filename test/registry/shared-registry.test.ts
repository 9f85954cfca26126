// shared-registry.test.ts -- registries of several nodes over one store: writes, leases and heartbeats of either

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLocalKey } from '../../src/registry/stored.ts';
import { type ClusterNode, startNode } from '../support/cluster-node.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance } from '../support/registrations.ts';
import { SharedWorld } from '../support/shared-store.ts';

async function twoNodes() {
  const clock = new FakeClock();
  const world = new SharedWorld(clock);
  const nodes = [await startNode(world, 'a'), await startNode(world, 'b')] as const;
  return { clock, world, nodes };
}

const statuses = (nodes: readonly ClusterNode[], id: string) => nodes.map((node) => node.statusOf(id));

describe('a write at one node', () => {
  it('is at the other, and may be undone there', async () => {
    const { nodes } = await twoNodes();
    const [a, b] = nodes;
    await a.registry.register(anInstance({ id: 'x' }));
    assert.deepEqual(statuses(nodes, 'x'), ['healthy', 'healthy']);
    await b.registry.setDraining('x', true);
    assert.deepEqual(statuses(nodes, 'x'), ['draining', 'draining']);
    await b.registry.deregister('x');
    assert.deepEqual(statuses(nodes, 'x'), [undefined, undefined]);
  });

  it('loses against one at the other that was first', async () => {
    const { nodes } = await twoNodes();
    const [a, b] = nodes;
    const { state } = await a.registry.register(anInstance({ id: 'x' }));
    await b.registry.update('x', (instance) => ({ ...instance, weight: 7 }));
    const late = a.registry.update('x', (instance) => ({ ...instance, weight: 9 }), state.revision);
    await assert.rejects(late, { code: 'precondition_failed' });
    await assert.rejects(a.registry.register(anInstance({ id: 'x', service: 'other' })), { code: 'id_taken' });
  });

  it('is credited to nobody at the other', async () => {
    const { nodes } = await twoNodes();
    const by = { kind: 'token', id: 'ci' } as const;
    await nodes[0].registry.register(anInstance({ id: 'x' }), false, undefined, by);
    assert.deepEqual(
      nodes.map(({ changes }) => changes[0]?.by),
      [by, undefined],
    );
  });

  it('is refused while the store is away, and is not made later', async () => {
    const { clock, world, nodes } = await twoNodes();
    world.cut('a');
    await assert.rejects(nodes[0].registry.register(anInstance({ id: 'x' })), { code: 'store_unavailable' });
    world.heal('a');
    await clock.advance(10_000);
    assert.deepEqual(statuses(nodes, 'x'), [undefined, undefined]);
  });
});

describe('a lease', () => {
  it('is renewed at either node, and runs out at both', async () => {
    const { clock, nodes } = await twoNodes();
    await nodes[0].registry.register(anInstance({ id: 'x', leaseTtlMs: 3_000 }));
    for (let i = 0; i < 10; i++) {
      await clock.advance(2_000);
      nodes[i % 2]!.registry.heartbeat('x', undefined);
    }
    assert.deepEqual(statuses(nodes, 'x'), ['healthy', 'healthy']);
    await clock.advance(5_400);
    assert.deepEqual(statuses(nodes, 'x'), ['healthy', 'healthy']);
    await clock.advance(200);
    assert.deepEqual(statuses(nodes, 'x'), [undefined, undefined]);
    for (const { changes } of nodes) assert.deepEqual(changes.at(-1)?.by, { kind: 'lease' });
  });

  it('that nobody renews takes the instance out while the store is away, and back when it was renewed elsewhere', async () => {
    const { clock, world, nodes } = await twoNodes();
    await nodes[0].registry.register(anInstance({ id: 'x', leaseTtlMs: 10_000 }));
    world.cut('a');
    for (let i = 0; i < 4; i++) {
      await clock.advance(4_000);
      nodes[1].registry.heartbeat('x', undefined);
    }
    assert.deepEqual(statuses(nodes, 'x'), ['unhealthy', 'healthy']);
    world.heal('a');
    await clock.advance(1_500);
    assert.deepEqual(statuses(nodes, 'x'), ['healthy', 'healthy']);
  });

  it('that ran out takes the drain along, which does not meet a later instance of that id', async () => {
    const { clock, world, nodes } = await twoNodes();
    await nodes[0].registry.register(anInstance({ id: 'x', leaseTtlMs: 3_000 }));
    await nodes[1].registry.setDraining('x', true);
    await clock.advance(6_000);
    assert.deepEqual(statuses(nodes, 'x'), [undefined, undefined]);
    await nodes[1].registry.register(anInstance({ id: 'x' }));
    assert.deepEqual(statuses(nodes, 'x'), ['healthy', 'healthy']);
    const late = await startNode(world, 'c');
    assert.equal(late.statusOf('x'), 'healthy');
  });

  it('ends with the leaseTtl', async () => {
    const { clock, nodes } = await twoNodes();
    await nodes[0].registry.register(anInstance({ id: 'x', leaseTtlMs: 3_000 }));
    await nodes[1].registry.register(anInstance({ id: 'x' }));
    await clock.advance(60_000);
    assert.deepEqual(statuses(nodes, 'x'), ['healthy', 'healthy']);
  });
});

describe('a heartbeat check', () => {
  const check = aCheck('beat', { type: 'heartbeat', intervalMs: 3_000 });

  it('passes at both nodes by heartbeats at either, without a write for each', async () => {
    const { clock, world, nodes } = await twoNodes();
    await nodes[0].registry.register(anInstance({ id: 'x', checks: [check] }));
    assert.deepEqual(statuses(nodes, 'x'), ['pending', 'pending']);
    nodes[0].registry.beat('x', {});
    await clock.advance(100);
    assert.deepEqual(statuses(nodes, 'x'), ['healthy', 'healthy']);
    const before = world.revision;
    for (let i = 0; i < 10; i++) {
      nodes[i % 2]!.registry.beat('x', {});
      await clock.advance(2_000);
    }
    assert.deepEqual(statuses(nodes, 'x'), ['healthy', 'healthy']);
    assert.equal(world.revision, before);
  });

  it('is critical at both nodes when none comes, and what the last one said otherwise', async () => {
    const { clock, nodes } = await twoNodes();
    await nodes[0].registry.register(anInstance({ id: 'x', checks: [check] }));
    await clock.advance(5_600);
    assert.deepEqual(statuses(nodes, 'x'), ['unhealthy', 'unhealthy'], 'none since the registration');
    nodes[1].registry.beat('x', { status: 'warning', output: 'disk' });
    await clock.advance(100);
    assert.deepEqual(statuses(nodes, 'x'), ['warning', 'warning']);
    assert.equal(nodes[0].registry.instance('x')?.checks.beat?.output, 'disk');
    await clock.advance(5_600);
    assert.deepEqual(statuses(nodes, 'x'), ['unhealthy', 'unhealthy']);
  });

  it('leaves no key behind', async () => {
    const { clock, world, nodes } = await twoNodes();
    await nodes[0].registry.register(anInstance({ id: 'x', checks: [check] }));
    nodes[0].registry.beat('x', {});
    await clock.advance(100);
    await nodes[1].registry.deregister('x');
    await clock.advance(100);
    const keys = [...world.records.keys()].filter((key) => !isLocalKey(key) && !/^(member|election)\//.test(key));
    assert.deepEqual(keys, []);
  });
});
