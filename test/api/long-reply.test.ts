// long-reply.test.ts -- JSON made with pauses is the JSON that stringify makes

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listJson } from '../../src/api/long-reply.ts';
import { atOnce } from '../../src/base/pauses.ts';

test('a long list is written as JSON.stringify would', () => {
  for (const count of [0, 1, 254, 255, 256, 600]) {
    const items = Array.from({ length: count }, (_, i) => `"${i}"\u2028`);
    const present = (item: string, index: number) => ({ item, index, none: undefined });
    for (const head of [{}, { name: 'x', list: [1], __proto__: null }]) {
      const text = atOnce(listJson(head, 'items', items, present));
      assert.equal(text, JSON.stringify({ ...head, items: items.map(present) }), `${count} items`);
    }
  }
});
