// discovery.test.ts -- dig and kdig browse for instances, find services behind addresses, and ask a server who it is

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type BuiltServer, startBuiltServer, writeConfig } from '../support/built-server.ts';
import { requireTools, run } from '../support/tools.ts';

const D = 'service.local';
const TOOLS = [
  { name: 'dig', tools: { dig: 'bind9-dnsutils' }, options: ['-r'] },
  { name: 'dig over TCP', tools: { dig: 'bind9-dnsutils' }, options: ['-r', '+tcp'] },
  { name: 'kdig', tools: { kdig: 'knot-dnsutils' }, options: [] },
  { name: 'kdig over TCP', tools: { kdig: 'knot-dnsutils' }, options: ['+tcp'] },
] as const;

type Ask = (...question: string[]) => Promise<string[]>;

/** One test for each program, with a way to ask it for the short form of an answer. */
async function withEach(t: TestContext, server: BuiltServer, work: (ask: Ask) => Promise<void>): Promise<void> {
  const { address, port } = server.dns;
  for (const { name, tools, options } of TOOLS) {
    await t.test(name, async (each) => {
      if (!(await requireTools(each, tools))) return;
      const [program] = Object.keys(tools);
      await work(async (...question) => {
        const args = [...options, `@${address}`, '-p', `${port}`, '+short', ...question];
        const { exitCode, stdout, stderr } = await run(program!, args);
        assert.equal(exitCode, 0, `${program} ${question.join(' ')}: ${stdout}${stderr}`);
        return stdout
          .split('\n')
          .filter((line) => line !== '')
          .sort();
      });
    });
  }
}

test('instances are found by browsing, whatever they are called', async (t) => {
  const server = await startBuiltServer(t);
  const ports = { http: 8080 };
  const named = (instanceName: string) => ({ instanceName, path: '/' });
  await server.register('cart', 'cart-1', { address: '127.0.0.2', port: 1, ports, tags: ['v1'] });
  await server.register('cart', 'cart.2', { address: '127.0.0.3', port: 1, ports, meta: named('Küche; 2. "Stock"') });
  await server.register('tv', 'tv-1', { address: '::1', port: 1, ports, meta: named('印刷機 $1 (a@b) \\o/') });
  await withEach(t, server, async (ask) => {
    assert.deepEqual(await ask(`b._dns-sd._udp.${D}`, 'PTR'), [`${D}.`]);
    const types = await ask(`_services._dns-sd._udp.${D}`, 'PTR');
    assert.deepEqual(types, [`_cart._tcp.${D}.`, `_http._tcp.${D}.`, `_tv._tcp.${D}.`]);
    const instances = await ask(`_http._tcp.${D}`, 'PTR');
    assert.equal(instances.length, 3);
    const found: string[] = [];
    for (const instance of instances) {
      const [srv] = await ask(instance, 'SRV');
      const target = srv!.split(' ')[3]!;
      assert.equal(srv, `0 1 8080 ${target}`);
      found.push(...(await ask(target, 'A')), ...(await ask(target, 'AAAA')));
      assert.equal((await ask(instance, 'TXT')).length, 1, instance);
    }
    assert.deepEqual(found.sort(), ['127.0.0.2', '127.0.0.3', '::1']);
    assert.deepEqual(await ask(`_v1._sub._http._tcp.${D}`, 'PTR'), [`cart-1._http._tcp.${D}.`]);
  });
  await server.api('POST', '/v1/instances/cart-1/drain');
  await withEach(t, server, async (ask) => {
    assert.equal((await ask(`_http._tcp.${D}`, 'PTR')).length, 2);
    assert.deepEqual(await ask(`cart-1._http._tcp.${D}`, 'SRV'), []);
  });
});

test('browsers are told of https', async (t) => {
  const server = await startBuiltServer(t);
  const meta = { alpn: 'h2,http/1.1' };
  await server.register('shop', 'shop-1', { address: '127.0.0.2', port: 80, ports: { https: 8443 }, meta });
  await withEach(t, server, async (ask) => {
    const [record] = await ask(`shop.${D}`, 'TYPE65');
    assert.equal(record?.replaceAll('"', ''), `1 127-0-0-2.addr.${D}. alpn=h2,http/1.1 port=8443 ipv4hint=127.0.0.2`);
  });
});

test('addresses have the names of their services, and a reload takes them away', async (t) => {
  const dns = { reverse: ['127.0.0.0/8', '::/64'] };
  const server = await startBuiltServer(t, { config: { dns } });
  await server.register('cart', 'cart-1', { address: '127.0.0.2', port: 80 });
  await server.register('shop', 'shop-1', { address: '127.0.0.2', port: 81 });
  await server.register('shop', 'shop-2', { address: '::1', port: 81 });
  await withEach(t, server, async (ask) => {
    assert.deepEqual(await ask('-x', '127.0.0.2'), [`cart.${D}.`, `shop.${D}.`]);
    assert.deepEqual(await ask('-x', '::1'), [`shop.${D}.`]);
    assert.deepEqual(await ask('-x', '127.0.0.3'), []);
    assert.deepEqual(await ask('127.in-addr.arpa', 'NS'), [`ns.${D}.`]);
  });
  writeConfig(server.folder, {});
  assert.equal((await server.api('POST', '/v1/reload')).status, 200);
  await withEach(t, server, async (ask) => assert.deepEqual(await ask('-x', '127.0.0.2'), []));
  writeConfig(server.folder, { dns });
  assert.equal((await server.api('POST', '/v1/reload')).status, 200);
  await withEach(t, server, async (ask) => assert.deepEqual(await ask('-x', '::1'), [`shop.${D}.`]));
});

test('a server says who it is when it is told to', async (t) => {
  const server = await startBuiltServer(t, { config: { dns: { chaos: { id: 'eu-1' } } } });
  await withEach(t, server, async (ask) => {
    for (const name of ['id.server', 'hostname.bind']) assert.deepEqual(await ask(name, 'CH', 'TXT'), ['"eu-1"']);
    assert.deepEqual(await ask('version.bind', 'CH', 'TXT'), []);
  });
  writeConfig(server.folder, { dns: { chaos: true, nsid: 'eu-2' } });
  assert.equal((await server.api('POST', '/v1/reload')).status, 200);
  await withEach(t, server, async (ask) => {
    assert.match((await ask('version.server', 'CH', 'TXT')).join(), /^"Rollcall \d+\.\d+\.\d+"$/);
    assert.deepEqual(await ask('id.server', 'CH', 'TXT'), ['"eu-2"']);
  });
  writeConfig(server.folder, {});
  assert.equal((await server.api('POST', '/v1/reload')).status, 200);
  await withEach(t, server, async (ask) => assert.deepEqual(await ask('id.server', 'CH', 'TXT'), []));
});

test('local. has a SOA, so that nss-mdns lets longer names through', async (t) => {
  const server = await startBuiltServer(t);
  await withEach(t, server, async (ask) => {
    assert.equal((await ask('local', 'SOA')).length, 1);
    assert.deepEqual(await ask('printer.local', 'A'), []);
  });
});
