// pauses.test.ts -- work with pauses is the work, and pauses come often

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atOnce, isMany, mapped } from '../../src/base/pauses.ts';

test('what is mapped with pauses is what map makes', () => {
  for (const count of [0, 1, 255, 256, 257, 5000]) {
    const items = Array.from({ length: count }, (_, i) => i);
    let most = 0;
    let since = 0;
    const work = mapped(items, (item, index) => {
      most = Math.max(most, ++since);
      return item * 2 + index;
    });
    let pauses = 0;
    let step = work.next();
    for (; !step.done; step = work.next()) {
      since = 0;
      pauses++;
    }
    assert.deepEqual(
      step.value,
      items.map((item) => item * 3),
    );
    assert.equal(pauses, Math.floor(count / 256), `pauses for ${count}`);
    assert.ok(most <= 256, `${most} items without a pause`);
    assert.equal(isMany(items), count >= 256);
  }
  assert.deepEqual(atOnce(mapped([1, 2], String)), ['1', '2']);
});
