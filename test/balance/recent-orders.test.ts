// recent-orders.test.ts -- what is kept is found, what was overwritten is not

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RecentOrders } from '../../src/balance/recent-orders.ts';
import { seededRandom } from '../../src/base/random.ts';

const out = new Uint16Array(64);

describe('recent orders', () => {
  it('are those of the plan, the client and the length', () => {
    const recent = new RecentOrders(1024, 64);
    recent.keep(1, 7, 3, Uint16Array.of(5, 6, 7));
    assert.equal(recent.find(1, 7, 3, out), true);
    assert.deepEqual([...out.subarray(0, 3)], [5, 6, 7]);
    for (const [plan, client, length] of [
      [2, 7, 3],
      [1, 8, 3],
      [1, 7, 2],
      [1, 0, 3],
    ] as const) {
      assert.equal(recent.find(plan, client, length, out), false);
    }
    assert.equal(new RecentOrders(1024, 64).find(1, 0, 0, out), false);
  });

  it('hold the newest of several', () => {
    const recent = new RecentOrders(1024, 64);
    recent.keep(1, 7, 2, Uint16Array.of(1, 2));
    recent.keep(1, 7, 2, Uint16Array.of(3, 4));
    assert.equal(recent.find(1, 7, 2, out), true);
    assert.deepEqual([...out.subarray(0, 2)], [3, 4]);
  });

  it('are never mixed up, however many and whatever their lengths', () => {
    const recent = new RecentOrders(300, 64);
    const random = seededRandom(9);
    let found = 0;
    // What an order says follows from whose it is.
    const orderOf = (plan: number, client: number, length: number) =>
      Uint16Array.from({ length }, (_, i) => (plan * 1000 + client * 10 + i * length) & 0xffff);
    for (let i = 0; i < 50_000; i++) {
      const [plan, client, length] = [1 + random.below(3), random.below(20), 1 + random.below(40)];
      if (random.below(2) === 0) recent.keep(plan, client, length, orderOf(plan, client, length));
      else if (recent.find(plan, client, length, out)) {
        found++;
        assert.deepEqual(out.slice(0, length), orderOf(plan, client, length));
      }
    }
    assert.ok(found > 100, `${found}`);
  });

  it('that are longer than all there is room for are not kept', () => {
    const recent = new RecentOrders(4, 4);
    recent.keep(1, 1, 5, Uint16Array.of(1, 2, 3, 4, 5));
    assert.equal(recent.find(1, 1, 5, out), false);
  });
});
