// full-disk.test.ts -- a server that starts on a disk without a free byte: it answers, refuses writes, and goes on later

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBuiltServer } from '../support/built-server.ts';
import { run } from '../support/tools.ts';

/** The folder `$0` becomes a small disk with what was in it, filled up; in a namespace of its own, so that it goes away. */
const ON_FULL_DISK = `
  cp -a "$0" "$0.before" && mount -t tmpfs -o size=24m none "$0" && cp -a "$0.before/." "$0" || exit 99
  cat /dev/zero > "$0/ballast" 2>/dev/null
  test "$(stat -f -c %a "$0")" = 0 || exit 98
  exec "$@"`;
const WRITABLE_LIMIT_MS = 30_000;

test('a server starts on a full disk, after kill -9 too, and writes again when there is room', async (t) => {
  const attempt = await run('unshare', ['-rm', 'true']).catch(() => undefined);
  if (attempt?.exitCode !== 0) return t.skip('no namespace of our own here');
  const server = await startBuiltServer(t);
  await server.register('cart', 'cart-1', { address: '10.1.0.1', port: 8080 });
  server.kill('SIGKILL');
  await server.exited;

  const data = `${server.folder}/data`;
  const prefix = ['unshare', '-rm', 'sh', '-c', ON_FULL_DISK, data];
  const again = await startBuiltServer(t, { folder: server.folder, prefix });
  assert.deepEqual(await again.addresses('cart.service.local'), ['10.1.0.1']);
  const write = async (): Promise<string> => {
    const instance = { address: '10.1.0.2', port: 8080 };
    const { status, body } = await again.api('PUT', '/v1/services/cart/instances/cart-2', instance);
    return `${status} ${body.error?.code ?? body.id}`;
  };
  assert.equal(await write(), '503 store_unavailable');
  assert.deepEqual(await again.addresses('cart.service.local'), ['10.1.0.1']);

  rmSync(`/proc/${again.pid}/root${data}/ballast`);
  const deadlineMs = performance.now() + WRITABLE_LIMIT_MS;
  let written = await write();
  for (; written !== '201 cart-2' && performance.now() < deadlineMs; written = await write()) await sleep(50);
  assert.equal(written, '201 cart-2');
  assert.deepEqual(await again.addresses('cart.service.local'), ['10.1.0.1', '10.1.0.2']);
  assert.equal((await again.stop()).exitCode, 0);
});
