// vantage-saver.test.ts -- what a node tells of health is in the store, whoever removes it and whatever is in the way

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CodedError } from '../../src/base/errors.ts';
import { startNode } from '../support/cluster-node.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance } from '../support/registrations.ts';
import { SharedWorld } from '../support/shared-store.ts';

const KEY = 'vantage/x/a';

async function oneNode() {
  const clock = new FakeClock();
  const world = new SharedWorld(clock);
  const node = await startNode(world, 'a');
  await node.registry.register(anInstance({ id: 'x', checks: [aCheck()] }));
  return { clock, world, node };
}

describe('what a node says of an instance', () => {
  it('is put again when it was removed as left over', async () => {
    const { clock, world, node } = await oneNode();
    node.finds('x', 'passing');
    await clock.advance(10);
    assert.ok(world.records.has(KEY), 'said');
    world.commit([{ key: KEY, value: undefined }], []);
    await clock.advance(10);
    assert.ok(world.records.has(KEY), 'said again');
  });

  it('is not put again when its instance is gone', async () => {
    const { clock, world, node } = await oneNode();
    node.finds('x', 'passing');
    await clock.advance(10);
    await node.registry.deregister('x');
    world.commit([{ key: KEY, value: undefined }], []);
    await clock.advance(5_000);
    assert.equal(world.records.has(KEY), false);
  });

  // what commits are refused with, how often they may be tried in a second
  const rows: [string, number][] = [
    ['conflict', 11],
    ['store_unavailable', 2],
  ];
  for (const [code, most] of rows) {
    it(`is tried now and then while the store says ${code}, and told when it does not any more`, async () => {
      const { clock, world, node } = await oneNode();
      const store = world.nodes.get('a')!;
      const commit = store.commit.bind(store);
      let tries = 0;
      store.commit = async (mutations, preconditions) => {
        if (!mutations.some(({ key }) => key === KEY)) return await commit(mutations, preconditions);
        tries += 1;
        throw new CodedError(code, 'refused by the test');
      };
      node.finds('x', 'passing');
      await clock.advance(1_000);
      assert.ok(tries >= 1 && tries <= most, `${tries} tries`);
      store.commit = commit;
      await clock.advance(1_000);
      assert.ok(world.records.has(KEY), 'told');
    });
  }
});
