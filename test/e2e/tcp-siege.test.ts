// tcp-siege.test.ts -- hostile TCP connections beside honest clients, a short cut of `npm run ordeal -- tcp-siege`

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBuiltServer } from '../support/built-server.ts';
import { besiege } from '../support/tcp-siege.ts';

test('400 hostile connections cost honest clients no query, and leave nothing behind', async (t) => {
  const server = await startBuiltServer(t, { config: { store: { kind: 'memory' } } });
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  const siege = await besiege(t, server, { connections: 400, seconds: 5, question: 'cart-service.service.local. A' });
  t.diagnostic(JSON.stringify(siege));
  assert.ok(siege.asked > 100, `${siege.asked} honest queries`);
  assert.equal(siege.lost, 0);
  assert.ok(siege.descriptorsAfter <= siege.descriptorsBefore, 'descriptors come back');
  assert.deepEqual(await server.stop(), { exitCode: 0, signal: null });
});
