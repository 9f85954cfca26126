// forwarding.test.ts -- Rollcall as the only resolver: before a real one, for dig and for the C library

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startBuiltServer } from '../support/built-server.ts';
import { freePort } from '../support/free-port.ts';
import { requireTools, run, spawnServer } from '../support/tools.ts';

/** A zone of the outer world, served by unbound. */
async function startUnbound(t: TestContext): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-upstream-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const many = Array.from({ length: 100 }, (_, i) => `  local-data: "many.example. 60 IN A 192.0.2.${i}"`).join('\n');
  const file = join(folder, 'unbound.conf');
  writeFileSync(
    file,
    `server:
  interface: 127.0.0.1@${port}
  access-control: 127.0.0.0/8 allow
  chroot: ""
  username: ""
  directory: "${folder}"
  pidfile: ""
  use-syslog: no
  verbosity: 1
  module-config: "iterator"
  local-zone: "example." static
  local-data: "example. 60 IN SOA ns.example. host.example. 1 3600 600 86400 30"
  local-data: "www.example. 60 IN A 192.0.2.1"
  local-data: "www.example. 60 IN AAAA 2001:db8::1"
  local-data: "odd.example. 60 IN TYPE65280 \\# 3 010203"
${many}
remote-control:
  control-enable: no
`,
  );
  await spawnServer(t, 'unbound', ['-d', '-c', file], { ready: /start of service/ });
  return port;
}

test('unbound as the upstream, dig as the client', async (t) => {
  if (!(await requireTools(t, { unbound: 'unbound', dig: 'bind9-dnsutils' }))) return;
  const upstream = await startUnbound(t);
  const server = await startBuiltServer(t, { config: { dns: { forward: { to: [`127.0.0.1:${upstream}`] } } } });
  await server.register('cart-service', 'cart-1', { address: '127.0.0.2', port: 8080 });
  const dig = async (...args: string[]) => {
    const where = ['@127.0.0.1', '-p', `${server.dns.port}`, '+tries=1', '+time=5'];
    return (await run('dig', [...where, ...args])).stdout;
  };

  await t.test('answers of both worlds', async () => {
    assert.equal(await dig('+short', 'www.example', 'A'), '192.0.2.1\n');
    assert.equal(await dig('+short', 'www.example', 'AAAA'), '2001:db8::1\n');
    assert.equal(await dig('+short', 'cart-service.service.local', 'A'), '127.0.0.2\n');
    assert.equal(await dig('+short', 'localhost', 'A'), '127.0.0.1\n');
  });
  await t.test('types that nobody heard of', async () => {
    assert.match(await dig('+short', 'odd.example', 'TYPE65280'), /\\# 3 010203/);
  });
  await t.test('what does not exist, in either', async () => {
    for (const name of ['nobody.example', 'nobody.service.local', 'a.test']) {
      assert.match(await dig(name, 'A'), /status: NXDOMAIN/, name);
    }
  });
  await t.test('what is too large for UDP comes by TCP', async () => {
    assert.match(await dig('+ignore', 'many.example', 'A'), /flags: qr tc rd ra/);
    assert.equal((await dig('+short', 'many.example', 'A')).trim().split('\n').length, 100);
  });
});

test('the C library with Rollcall alone in resolv.conf', async (t) => {
  if (!(await requireTools(t, { unbound: 'unbound', unshare: 'util-linux', getent: 'libc-bin' }))) return;
  if (process.getuid?.() !== 0) return t.skip('mounting needs root');
  const upstream = await startUnbound(t);
  // resolv.conf has no ports, so it has to be 53, at an address of its own.
  const probe = createSocket('udp4').bind(53, '127.0.53.53');
  const isFree = await once(probe, 'listening').then(
    () => true,
    () => false,
  );
  probe.close();
  if (!isFree) return t.skip('port 53 is not to be had');
  const dns = { listen: ['127.0.53.53:53'], forward: { to: [`127.0.0.1:${upstream}`] } };
  const server = await startBuiltServer(t, { config: { dns } });
  await server.register('cart-service', 'cart-1', { address: '127.0.0.2', port: 8080 });
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-resolv-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'resolv.conf'), 'nameserver 127.0.53.53\noptions timeout:5 attempts:1\n');
  writeFileSync(join(folder, 'nsswitch.conf'), 'hosts: dns\n');
  const getent = async (name: string) => {
    const mounts = ['resolv.conf', 'nsswitch.conf'].map((file) => `mount --bind ${folder}/${file} /etc/${file}`);
    const script = [...mounts, `getent ahostsv4 ${name}`].join(' && ');
    return await run('unshare', ['--mount', 'sh', '-c', script]);
  };
  const first = await getent('cart-service.service.local');
  if (first.stderr.includes('mount')) return t.skip(`mounting does not work here: ${first.stderr.trim()}`);
  assert.match(first.stdout, /^127\.0\.0\.2 /);
  assert.match((await getent('www.example')).stdout, /^192\.0\.2\.1 /);
  assert.equal((await getent('nobody.example')).exitCode, 2);
});
