// cluster.test.ts -- several nodes over one store, on a fake clock: members, election, and health that nodes agree on

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CodedError } from '../../src/base/errors.ts';
import { type ClusterNode, startNode } from '../support/cluster-node.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance } from '../support/registrations.ts';
import { SharedWorld } from '../support/shared-store.ts';

const NAMES = ['a', 'b', 'c'];

async function threeNodes(settings?: Parameters<typeof startNode>[2]) {
  const clock = new FakeClock();
  const world = new SharedWorld(clock);
  const nodes: ClusterNode[] = [];
  for (const name of NAMES) nodes.push(await startNode(world, name, settings));
  await clock.advance(100);
  return { clock, world, nodes };
}

const elected = (nodes: readonly ClusterNode[]): string[] =>
  nodes.filter(({ cluster }) => cluster.isElected).map(({ name }) => name);

/** The nodes that run the checks of an instance, and the others. */
function split(nodes: readonly ClusterNode[], id: string) {
  return {
    probers: nodes.filter(({ cluster }) => cluster.isMine(id)),
    others: nodes.filter(({ cluster }) => !cluster.isMine(id)),
  };
}

describe('members', () => {
  it('are known to each other, and go when they are silent or stop', async () => {
    const { clock, world, nodes } = await threeNodes();
    const known = () =>
      nodes.map(({ cluster }) =>
        cluster
          .members()
          .map(({ node }) => node)
          .sort()
          .join(''),
      );
    assert.deepEqual(known(), ['abc', 'abc', 'abc']);
    await clock.advance(20_000);
    assert.deepEqual(known(), ['abc', 'abc', 'abc']);
    world.cut('c');
    await clock.advance(6_000);
    assert.deepEqual(known().slice(0, 2), ['ab', 'ab']);
    world.heal('c');
    await clock.advance(1_000);
    assert.deepEqual(known(), ['abc', 'abc', 'abc']);
    await nodes[1]!.stop();
    assert.deepEqual([known()[0], known()[2]], ['ac', 'ac']);
  });

  it('write nothing in steady state', async () => {
    const { clock, world, nodes } = await threeNodes();
    await nodes[0]!.registry.register(anInstance({ id: 'x', checks: [aCheck()] }));
    for (const node of split(nodes, 'x').probers) node.finds('x', 'passing');
    await clock.advance(1_000);
    const before = world.revision;
    for (let i = 0; i < 60; i++) {
      for (const node of split(nodes, 'x').probers) node.finds('x', 'passing');
      await clock.advance(1_000);
    }
    assert.equal(world.revision, before);
  });
});

describe('the election', () => {
  it('has one node elected, and another when that one is gone', async () => {
    const { clock, world, nodes } = await threeNodes();
    assert.deepEqual(elected(nodes), ['a']);
    world.cut('a');
    await clock.advance(4_500);
    assert.deepEqual(elected(nodes), [], 'its belief ends before its key does');
    await clock.advance(2_000);
    const [next = ''] = elected(nodes);
    assert.ok(next === 'b' || next === 'c', `elected: ${next}`);
    world.heal('a');
    await clock.advance(3_000);
    assert.deepEqual(elected(nodes), [next]);
  });

  it('shuts out the writes of a node that was frozen while another was elected', async () => {
    const { clock, world, nodes } = await threeNodes();
    const [frozen] = nodes;
    const late = frozen!.cluster.fence();
    world.cut('a');
    await clock.advance(8_000);
    world.heal('a');
    const store = world.nodes.get('a')!;
    await assert.rejects(store.commit([{ key: 'policy/web', value: {} }], [late]), { code: 'conflict' });
    assert.throws(
      () => frozen!.cluster.fence(),
      (error) => error instanceof CodedError && error.code === 'not_elected',
    );
  });

  it('is handed over at once when the elected node stops', async () => {
    const { clock, nodes } = await threeNodes();
    await nodes[0]!.stop();
    await clock.advance(10);
    assert.equal(elected(nodes.slice(1)).length, 1);
  });

  it('lets nobody steps or schedules write without it', async () => {
    const { nodes } = await threeNodes();
    const by = { kind: 'schedule', id: 'nightly' } as const;
    await nodes[0]!.registry.register(anInstance({ id: 'x' }));
    await assert.rejects(nodes[1]!.registry.setMaintenance('x', 'night', by), { code: 'not_elected' });
    assert.equal(nodes[1]!.statusOf('x'), 'healthy');
    await nodes[0]!.registry.setMaintenance('x', 'night', by);
    assert.equal(nodes[1]!.statusOf('x'), 'maintenance');
  });
});

describe('health', () => {
  async function checked() {
    const all = await threeNodes();
    await all.nodes[0]!.registry.register(anInstance({ id: 'x', checks: [aCheck()] }));
    const { probers, others } = split(all.nodes, 'x');
    assert.equal(probers.length, 2);
    const statuses = () => all.nodes.map((node) => node.statusOf('x'));
    for (const node of probers) node.finds('x', 'passing');
    await all.clock.advance(10);
    assert.deepEqual(statuses(), ['healthy', 'healthy', 'healthy']);
    for (const node of all.nodes) node.changes.length = 0;
    return { ...all, probers, others, statuses };
  }

  it('is the first result while there is no other, on every node', async () => {
    const { clock, nodes } = await threeNodes();
    await nodes[0]!.registry.register(anInstance({ id: 'x', checks: [aCheck()] }));
    split(nodes, 'x').probers[0]!.finds('x', 'passing');
    await clock.advance(10);
    assert.deepEqual(
      nodes.map((node) => node.statusOf('x')),
      ['healthy', 'healthy', 'healthy'],
    );
  });

  it('is bad when both who look say so, everywhere, and good again when one does not any more', async () => {
    const { clock, probers, statuses } = await checked();
    probers[0]!.finds('x', 'critical');
    await clock.advance(10);
    assert.deepEqual(statuses(), ['healthy', 'healthy', 'healthy']);
    probers[1]!.finds('x', 'critical');
    await clock.advance(10);
    assert.deepEqual(statuses(), ['unhealthy', 'unhealthy', 'unhealthy']);
    probers[0]!.finds('x', 'passing');
    await clock.advance(10);
    assert.deepEqual(statuses(), ['healthy', 'healthy', 'healthy']);
  });

  it('shows what each of them says', async () => {
    const { clock, probers, nodes } = await checked();
    probers[0]!.finds('x', 'critical');
    await clock.advance(10);
    for (const { cluster } of nodes) {
      const seen = cluster
        .vantages('x')
        .map(({ node, isAssigned, checks }) => [node, isAssigned, checks.alive?.outcome]);
      const expected = probers.map(({ name }, i) => [name, true, i === 0 ? 'critical' : 'passing']);
      assert.deepEqual(
        seen,
        expected.sort((p, q) => (p[0]! < q[0]! ? -1 : 1)),
      );
    }
  });

  it('does not change when a node that looks goes, and another takes its place', async () => {
    const { clock, world, nodes, probers, others, statuses } = await checked();
    world.cut(probers[0]!.name);
    await clock.advance(6_000);
    const remaining = nodes.filter((node) => node !== probers[0]);
    assert.ok(
      remaining.every(({ cluster }) => cluster.isMine('x')),
      'both that are left look',
    );
    others[0]!.finds('x', 'passing');
    await clock.advance(1_000);
    world.heal(probers[0]!.name);
    await clock.advance(6_000);
    assert.deepEqual(statuses(), ['healthy', 'healthy', 'healthy']);
    assert.deepEqual(
      nodes.flatMap(({ changes }) => changes),
      [],
      'nobody saw any change',
    );
  });

  it('is what each node sees while the store is away, and agreed on again after', async () => {
    const { clock, world, nodes, probers, statuses } = await checked();
    world.stop();
    await clock.advance(6_000);
    assert.ok(
      nodes.every(({ cluster }) => cluster.isMine('x')),
      'everybody looks',
    );
    for (const node of nodes) node.finds('x', 'critical');
    assert.deepEqual(statuses(), ['unhealthy', 'unhealthy', 'unhealthy']);
    for (const node of nodes) node.finds('x', 'passing');
    assert.deepEqual(statuses(), ['healthy', 'healthy', 'healthy']);
    for (const node of nodes) node.finds('x', 'critical');
    for (const node of nodes) node.changes.length = 0;
    world.start();
    await clock.advance(5_000);
    assert.deepEqual(statuses(), ['unhealthy', 'unhealthy', 'unhealthy']);
    assert.deepEqual(
      nodes.flatMap(({ changes }) => changes),
      [],
      'what was said before the silence changes nothing',
    );
    for (const node of probers) node.finds('x', 'passing');
    await clock.advance(10);
    assert.deepEqual(statuses(), ['healthy', 'healthy', 'healthy']);
  });

  it('is known to a node that joins, before it has looked itself', async () => {
    const { clock, world, probers } = await checked();
    for (const node of probers) node.finds('x', 'critical');
    await clock.advance(10);
    const late = await startNode(world, 'd');
    assert.equal(late.statusOf('x'), 'unhealthy');
  });

  it('forgets what was said of a check that is another one now', async () => {
    const { clock, nodes, probers } = await checked();
    const { registry } = nodes[0]!;
    await registry.update('x', (instance) => ({ ...instance, checks: [aCheck('alive', { port: 81 })] }));
    await clock.advance(10);
    for (const { cluster } of nodes) assert.deepEqual(cluster.vantages('x'), []);
    for (const node of probers) node.finds('x', 'critical');
    await clock.advance(10);
    for (const node of nodes) assert.equal(node.statusOf('x'), 'unhealthy');
  });
});

it('housekeeping removes what is left of instances and nodes that went', async () => {
  const { clock, world, nodes } = await threeNodes();
  await nodes[0]!.registry.register(anInstance({ id: 'x', checks: [aCheck()] }));
  for (const node of split(nodes, 'x').probers) node.finds('x', 'passing');
  await clock.advance(10);
  const left = () => [...world.records.keys()].filter((key) => key.startsWith('vantage/'));
  assert.equal(left().length, 2);
  await nodes[0]!.registry.deregister('x');
  await clock.advance(95_000);
  assert.deepEqual(left(), []);
});
