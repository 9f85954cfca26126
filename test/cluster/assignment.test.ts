// assignment.test.ts -- who runs whose checks: the same everywhere, evenly, and with as little moved as can be

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Assignment } from '../../src/cluster/assignment.ts';

const NODES = Array.from({ length: 10 }, (_, i) => `node-${i}`);
const IDS = Array.from({ length: 10_000 }, (_, i) => `cart-service-10.0.${i >> 8}.${i & 255}:8080`);

describe('nodes of an instance', () => {
  it('are as many as asked for, all different, and as many as there are at most', () => {
    for (const [nodes, replicas, expected] of [
      [NODES, 2, 2],
      [NODES, 'all', 10],
      [NODES.slice(0, 1), 2, 1],
      [NODES.slice(0, 3), 5, 3],
    ] as const) {
      const assignment = new Assignment(nodes, replicas);
      assert.equal(new Set(assignment.nodesOf('cart-1')).size, expected);
      assert.equal(assignment.replicas, expected);
    }
  });

  it('do not depend on the order in which nodes are known', () => {
    const [there, here] = [new Assignment(NODES, 3), new Assignment(NODES.toReversed(), 3)];
    for (const id of IDS.slice(0, 500)) assert.deepEqual(here.nodesOf(id), there.nodesOf(id));
  });

  it('are those that say of themselves that they are', () => {
    for (const replicas of [1, 2, 3, 'all'] as const) {
      const assignment = new Assignment(NODES, replicas);
      for (const id of IDS.slice(0, 500)) {
        const said = NODES.filter((node) => assignment.includes(node, id));
        assert.deepEqual(said.sort(), [...assignment.nodesOf(id)].sort());
      }
    }
    assert.equal(new Assignment(NODES, 2).includes('elsewhere', 'cart-1'), false);
  });

  it('have even shares', () => {
    const assignment = new Assignment(NODES, 2);
    const counts = new Map<string, number>();
    for (const id of IDS) for (const node of assignment.nodesOf(id)) counts.set(node, (counts.get(node) ?? 0) + 1);
    for (const node of NODES) {
      const share = counts.get(node)! / 2000;
      assert.ok(share > 0.9 && share < 1.1, `${node} has ${share} of its share`);
    }
  });

  it('stay, but for those of a node that went', () => {
    const before = new Assignment(NODES, 2);
    const after = new Assignment(NODES.slice(1), 2);
    for (const id of IDS) {
      const stayed = before.nodesOf(id).filter((node) => node !== 'node-0');
      const now = after.nodesOf(id);
      assert.ok(
        stayed.every((node) => now.includes(node)),
        `${id}: ${stayed} became ${now}`,
      );
    }
  });
});
