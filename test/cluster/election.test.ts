// election.test.ts -- whatever happens to nodes and store, no two nodes may write what only one may

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Precondition } from '../../src/registry/store.ts';
import { type ClusterNode, startNode } from '../support/cluster-node.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { SharedWorld } from '../support/shared-store.ts';

const NAMES = ['a', 'b', 'c', 'd'];
const TICK_MS = 250;

async function someNodes() {
  const clock = new FakeClock();
  const world = new SharedWorld(clock);
  const nodes: ClusterNode[] = [];
  for (const name of NAMES) nodes.push(await startNode(world, name));
  await clock.advance(100);
  return { clock, world, nodes };
}

/** The fences that nodes would write with. */
function fences(nodes: readonly ClusterNode[]): Precondition[] {
  return nodes.filter(({ cluster }) => cluster.isElected).map(({ cluster }) => cluster.fence());
}

const step = fc.record({
  index: fc.integer({ min: 0, max: NAMES.length - 1 }),
  fault: fc.constantFrom('cut', 'heal', 'stop', 'start', 'kill'),
  ms: fc.integer({ min: 0, max: 7_000 }),
});

type Faulty = Awaited<ReturnType<typeof someNodes>>;

async function cause(fault: string, index: number, { world, nodes }: Faulty): Promise<void> {
  const { name } = nodes[index]!;
  if (fault === 'cut') world.cut(name);
  else if (fault === 'stop') world.stop();
  else if (fault === 'start') world.start();
  else if (!world.isUp) return;
  else if (fault === 'heal') world.heal(name);
  else nodes[index] = await startNode(world, name);
}

describe('the election', () => {
  it('never has two nodes elected, and one in the end', async () => {
    const schedules = fc.array(step, { maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(schedules, async (steps) => {
        const all = await someNodes();
        const { clock, world, nodes } = all;
        for (const { index, fault, ms } of steps) {
          await cause(fault, index, all);
          for (let t = 0; t <= ms; t += TICK_MS) {
            await clock.advance(TICK_MS);
            assert.ok(fences(nodes).length <= 1, `after ${fault}: ${JSON.stringify(fences(nodes))}`);
          }
        }
        world.start();
        await clock.advance(12_000);
        assert.equal(fences(nodes).length, 1, 'one is elected in the end');
        for (const { cluster } of nodes) assert.equal(cluster.members().length, NAMES.length, 'all are members');
      }),
      { numRuns: 60 },
    );
  });

  it('is no longer believed in by a node that was held up, until the store has said so anew', async () => {
    const { clock, world, nodes } = await someNodes();
    const [held] = nodes;
    const before = held!.cluster.fence();
    clock.stall(15_000);
    assert.equal(held!.cluster.isElected, false, 'before any timer of it ran');
    await clock.advance(10_000);
    assert.equal(fences(nodes).length, 1);
    assert.ok(fences(nodes)[0]!.revision > before.revision, 'another fence holds');
    assert.ok(world.records.has(before.key), 'somebody holds the key');
  });

  it('writes nothing while the same node stays elected', async () => {
    const { clock, world, nodes } = await someNodes();
    const [before] = fences(nodes);
    await clock.advance(60_000);
    assert.deepEqual(fences(nodes), [before]);
    assert.equal(world.records.get(before!.key)?.revision, before!.revision);
  });

  it('leaves no key behind when a node stops while it is being elected', async () => {
    const { clock, world, nodes } = await someNodes();
    await Promise.all(nodes.map((node) => node.stop()));
    await clock.advance(100);
    assert.deepEqual([...world.records.keys()], []);
  });
});
