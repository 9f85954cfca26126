// resolvers.test.ts -- the ways in which programs reach us without knowing it: unbound, dnsmasq, and the C library

import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { freePort } from '../support/free-port.ts';
import { openNamespace } from '../support/namespace.ts';
import { requireTools, run, spawnServer } from '../support/tools.ts';
import { ToyInstance } from '../support/toy-instance.ts';

const NAME = 'cart-service.service.local';
const CHECK = { interval: '200ms', timeout: '100ms', rise: 1, fall: 2 };
const POLL_MS = 50;
/** Health checks take half a second, caches one second more. */
const PATIENCE_MS = 8000;

/** Ask again until the answer is as wanted: nothing tells when somebody else's cache lets go. */
async function untilAnswered(ask: () => Promise<readonly string[]>, wanted: readonly string[]): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const got = await ask();
    if (JSON.stringify(got) === JSON.stringify(wanted)) return;
    if (performance.now() > deadlineMs) assert.deepEqual(got, wanted);
    await sleep(POLL_MS);
  }
}

/** A server with two checked instances, and TTLs of a second. */
async function startShop(t: TestContext): Promise<{ server: BuiltServer; toys: ToyInstance[] }> {
  const server = await startBuiltServer(t, { config: { dns: { ttl: '1s', negativeTtl: '1s' } } });
  const toys = await Promise.all(['127.0.0.2', '127.0.0.3'].map((address) => ToyInstance.start(t, address)));
  for (const toy of toys) await server.register('cart-service', `cart-${toy.address}`, toy.registration(CHECK));
  await server.until('cart-service', (all) => all.every(({ status }) => status === 'healthy'));
  return { server, toys };
}

/** Questions to a resolver: addresses, none for NODATA. */
function askingAt(port: number) {
  const resolver = new Resolver({ timeout: 3000, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  const orNone = (thrown: NodeJS.ErrnoException): [] => {
    if (thrown.code === 'ENODATA') return [];
    throw thrown;
  };
  return {
    resolver,
    a: async () => ((await resolver.resolve4(NAME).catch(orNone)) as string[]).sort(),
    srv: async () =>
      (await resolver.resolveSrv(NAME).catch(orNone)).map(({ name, port: at }) => `${at} ${name}`).sort(),
  };
}

/** The story that every resolver has to tell: two, one after the other was killed, two again, none. */
async function followInstances(port: number, toys: readonly ToyInstance[]): Promise<void> {
  const { a, srv } = askingAt(port);
  const [first, second] = toys as [ToyInstance, ToyInstance];
  const srvOf = (toy: ToyInstance) => `${toy.port} ${toy.address.replaceAll('.', '-')}.addr.service.local`;
  await untilAnswered(a, ['127.0.0.2', '127.0.0.3']);
  await untilAnswered(srv, [srvOf(first), srvOf(second)].sort());
  await second.kill();
  await untilAnswered(a, ['127.0.0.2']);
  await untilAnswered(srv, [srvOf(first)]);
  await second.restart();
  await untilAnswered(a, ['127.0.0.2', '127.0.0.3']);
  await Promise.all([first.kill(), second.kill()]);
  await untilAnswered(a, []);
}

test('unbound with a stub zone', async (t) => {
  if (!(await requireTools(t, { unbound: 'unbound' }))) return;
  const { server, toys } = await startShop(t);
  await server.register('wide-service', 'wide-0', { address: '10.1.0.0', port: 8080 });
  await server.api('PUT', '/v1/services/wide-service/policy', { maxAnswers: 200 });
  for (let i = 1; i < 120; i++)
    await server.register('wide-service', `wide-${i}`, { address: `10.1.0.${i}`, port: 80 });
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-unbound-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
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
  do-not-query-localhost: no
  do-ip6: no
  use-caps-for-id: yes
  harden-referral-path: no
  qname-minimisation: yes
  cache-max-ttl: 1
  cache-max-negative-ttl: 1
  local-zone: "local." transparent
  domain-insecure: "service.local"
stub-zone:
  name: "service.local"
  stub-addr: 127.0.0.1@${server.dns.port}
remote-control:
  control-enable: no
`,
  );
  await spawnServer(t, 'unbound', ['-d', '-c', file], { ready: /start of service/ });
  const { resolver } = askingAt(port);

  await t.test('fetches by TCP what does not fit', async () => {
    assert.equal((await resolver.resolve4('wide-service.service.local')).length, 120);
  });
  await t.test('finds hosts below, and learns that others do not exist', async () => {
    assert.deepEqual(await resolver.resolve4('127-0-0-2.addr.service.local'), ['127.0.0.2']);
    await assert.rejects(resolver.resolve4('nobody.service.local'), { code: 'ENOTFOUND' });
    await assert.rejects(resolver.resolve4('a.b.nobody.service.local'), { code: 'ENOTFOUND' });
  });
  await t.test('follows the instances', () => followInstances(port, toys));
});

test('dnsmasq with a server for the domain', async (t) => {
  if (!(await requireTools(t, { dnsmasq: 'dnsmasq-base' }))) return;
  const { server, toys } = await startShop(t);
  const port = await freePort();
  const args = [
    ...['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--bind-interfaces'],
    ...['--user=root', '--pid-file=', '--log-facility=-', '--log-queries'],
    ...['--listen-address=127.0.0.1', `--port=${port}`],
    `--server=/service.local/127.0.0.1#${server.dns.port}`,
  ];
  await spawnServer(t, 'dnsmasq', args, { ready: /started/ });
  const { resolver } = askingAt(port);

  await t.test('learns that others do not exist', async () => {
    await assert.rejects(resolver.resolve4('nobody.service.local'), { code: 'ENOTFOUND' });
  });
  await t.test('follows the instances', () => followInstances(port, toys));
});

test('the C library by resolv.conf, in a namespace where we have port 53', async (t) => {
  if (!(await requireTools(t, { getent: 'libc-bin' }))) return;
  const prefix = await openNamespace(t, {
    '/etc/resolv.conf': 'nameserver 127.0.0.1\nsearch service.local\noptions timeout:1 attempts:1\n',
    '/etc/nsswitch.conf': 'hosts: files dns\n',
  });
  if (prefix === undefined) return;
  const toys = await Promise.all(
    ['127.0.0.2', '127.0.0.3', '::1'].map((address) => ToyInstance.start(t, address, { prefix })),
  );
  await startBuiltServer(t, {
    prefix,
    config: {
      dns: { listen: ['127.0.0.1:53'] },
      services: toys.map((toy) => ({ service: 'cart-service', ...toy.registration(CHECK) })),
    },
  });
  const enter = async (...words: string[]) => {
    const [command = '', ...args] = [...prefix, ...words];
    const { stdout } = await run(command, args);
    return [...new Set(stdout.split('\n').flatMap((line) => line.split(' ')[0] || []))].sort();
  };
  const script = `require('dns').lookup('${NAME}', { all: true }, (error, all) =>
    console.log((all ?? []).map(({ address }) => address).join('\\n')))`;
  const ways: Record<string, () => Promise<string[]>> = {
    'getent ahosts': () => enter('getent', 'ahosts', NAME),
    'getent ahosts, by the search list': () => enter('getent', 'ahosts', 'cart-service'),
    'dns.lookup of Node': () => enter(process.execPath, '-e', script),
  };
  for (const [name, ask] of Object.entries(ways)) {
    await t.test(`${name} finds all`, () => untilAnswered(ask, ['127.0.0.2', '127.0.0.3', '::1']));
  }
  await toys[1]!.kill();
  for (const [name, ask] of Object.entries(ways)) {
    await t.test(`${name} sees one gone`, () => untilAnswered(ask, ['127.0.0.2', '::1']));
  }
});
