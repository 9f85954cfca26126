// reload.test.ts -- configuration and zones read anew: by signal, by call, by a changed file; errors change nothing

import assert from 'node:assert/strict';
import { linkSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type BuiltServer, startBuiltServer, writeConfig } from '../support/built-server.ts';

/** A zone whose host `www` has one address. */
function zone(address: string): string {
  return `$TTL 5
@    SOA ns hostmaster 1 15 5 604800 5
     NS  ns
ns   A   127.0.0.1
www  A   ${address}
`;
}

const BROKEN = zone('10.0.0.300');
/** Where the wrong address stands. */
const BROKEN_AT = /example\.test\.zone:5:10\b/;

/**
 * A server with the zone `example.test`. `change` writes to the zone file without anybody being told: the file has a
 * second name in a folder that is not watched.
 */
async function startWithZone(t: TestContext): Promise<{ server: BuiltServer; change: (text: string) => void }> {
  const server = await startBuiltServer(t, { zones: { 'example.test.zone': zone('10.0.0.1') } });
  mkdirSync(join(server.folder, 'elsewhere'));
  const other = join(server.folder, 'elsewhere/zone');
  linkSync(join(server.folder, 'zones/example.test.zone'), other);
  assert.deepEqual(await server.addresses('www.example.test'), ['10.0.0.1']);
  return { server, change: (text) => writeFileSync(other, text) };
}

test('POST /v1/reload', async (t) => {
  const { server, change } = await startWithZone(t);
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  change(zone('10.0.0.2'));
  assert.equal((await server.api('POST', '/v1/reload')).status, 200);
  assert.deepEqual(await server.addresses('www.example.test'), ['10.0.0.2']);
  assert.deepEqual(await server.addresses('cart-service.service.local'), ['10.1.0.1']);

  await t.test('a broken zone changes nothing, and is located', async () => {
    change(BROKEN);
    const { status, body } = await server.api('POST', '/v1/reload');
    assert.equal(status, 400);
    assert.equal(body.error.code, 'invalid_config');
    assert.match(JSON.stringify(body), BROKEN_AT);
    assert.deepEqual(await server.addresses('www.example.test'), ['10.0.0.2']);
    assert.deepEqual(await server.addresses('cart-service.service.local'), ['10.1.0.1']);
    assert.equal((await server.api('GET', '/v1/status')).body.lastReload.result, 'failed');
    assert.match((await server.api('GET', '/metrics')).body, /rollcall_reload_total\{result="failed"\} 1\b/);
  });

  await t.test('a static instance with an id that is taken changes nothing, and is located', async () => {
    const services = [{ id: 'cart-1', service: 'cart-service', address: '10.1.0.9', port: 1 }];
    writeConfig(server.folder, { services });
    const { status, body } = await server.api('POST', '/v1/reload');
    assert.deepEqual([status, body.error.code], [400, 'invalid_config']);
    assert.match(body.error.details[0].path, /rollcall\.yaml:\d+:\d+$/);
    assert.match(body.error.details[0].message, /'cart-1' is registered through the API already/);
    assert.deepEqual(await server.addresses('cart-service.service.local'), ['10.1.0.1']);
    writeConfig(server.folder);
  });

  await t.test('mended, it is taken', async () => {
    change(zone('10.0.0.3'));
    assert.equal((await server.api('POST', '/v1/reload')).status, 200);
    assert.deepEqual(await server.addresses('www.example.test'), ['10.0.0.3']);
  });
});

test('SIGHUP', async (t) => {
  const { server, change } = await startWithZone(t);
  change(zone('10.0.0.2'));
  let told = server.logged(/reloaded/);
  server.kill('SIGHUP');
  await told;
  assert.deepEqual(await server.addresses('www.example.test'), ['10.0.0.2']);

  change(BROKEN);
  told = server.logged(/reload failed/);
  server.kill('SIGHUP');
  await told;
  assert.match(server.stderr(), BROKEN_AT);
  assert.deepEqual(await server.addresses('www.example.test'), ['10.0.0.2']);
});

test('a changed file is noticed, whichever way it was changed', async (t) => {
  const { server } = await startWithZone(t);
  const file = join(server.folder, 'zones/example.test.zone');
  const step = async (what: string, pattern: RegExp, act: () => void, expected: string[]) => {
    await t.test(what, async () => {
      const told = server.logged(pattern);
      act();
      await told;
      assert.deepEqual(await server.addresses('www.example.test'), expected);
    });
  };
  await step('written in place', /reloaded/, () => writeFileSync(file, zone('10.0.0.2')), ['10.0.0.2']);
  await step('replaced by another', /reloaded/, () => replace(file, zone('10.0.0.3')), ['10.0.0.3']);
  await step('replaced once more', /reloaded/, () => replace(file, zone('10.0.0.4')), ['10.0.0.4']);
  await step('broken', /reload failed/, () => replace(file, BROKEN), ['10.0.0.4']);
  await step('mended', /reloaded/, () => replace(file, zone('10.0.0.5')), ['10.0.0.5']);

  await t.test('a new zone', async () => {
    const told = server.logged(/reloaded/);
    writeFileSync(join(server.folder, 'zones/other.test.zone'), zone('10.0.1.1'));
    await told;
    assert.deepEqual(await server.addresses('www.other.test'), ['10.0.1.1']);
  });

  await t.test('a broken and then a mended configuration', async () => {
    const config = join(server.folder, 'rollcall.yaml');
    let told = server.logged(/reload failed/);
    replace(config, 'dns: { ttl: 7 }\n');
    await told;
    assert.match(server.stderr(), /rollcall\.yaml:1:13: /);
    assert.deepEqual(await server.addresses('www.example.test'), ['10.0.0.5']);
    told = server.logged(/reloaded/);
    writeConfig(server.folder, { services: [{ service: 'static-service', address: '10.2.0.1', port: 80 }] });
    await told;
    assert.deepEqual(await server.addresses('static-service.service.local'), ['10.2.0.1']);
  });
});

/** As editors and deployment tools do: a whole file is renamed over the old one. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

test('listeners are opened and closed, those that stay are not touched', async (t) => {
  const first = '127.0.0.1:0';
  const server = await startBuiltServer(t, { config: { dns: { listen: [first] } } });
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  const listening = async (): Promise<string[]> => (await server.api('GET', '/v1/status')).body.dns.listen;
  const [own] = await listening();

  await change(server, { dns: { listen: [first, '127.0.0.5:0', '[::1]:0'] } });
  const now = await listening();
  assert.equal(now.length, 3);
  assert.equal(now[0], own);
  for (const at of now) assert.deepEqual(await addressesAt(at), ['10.1.0.1'], at);

  await change(server, { dns: { listen: [first] } });
  assert.deepEqual(await listening(), [own]);
  await assert.rejects(addressesAt(now[1]!), { code: /ECONNREFUSED|ETIMEOUT/ });
  assert.deepEqual(await server.addresses('cart-service.service.local'), ['10.1.0.1']);

  await t.test('one that cannot be opened leaves the others as they were', async () => {
    writeConfig(server.folder, { dns: { listen: ['127.0.0.6:0', '192.0.2.1:5300'] } });
    const { status, body } = await server.api('POST', '/v1/reload');
    assert.ok(status >= 400, `${status}`);
    assert.match(JSON.stringify(body), /192\.0\.2\.1/);
    assert.deepEqual(await listening(), [own]);
    assert.deepEqual(await server.addresses('cart-service.service.local'), ['10.1.0.1']);
  });
});

test('HTTP listens elsewhere: what is under way is answered, watches end, the ready file follows', async (t) => {
  const server = await startBuiltServer(t);
  const readyFile = join(server.folder, 'run/ready.json');
  const ready = (): { http: string[]; dns: string[] } => JSON.parse(readFileSync(readyFile, 'utf8'));
  const before = ready();
  const own = before.http[0]!;
  const watching = await fetch(`http://${own}/v1/watch`);
  const waiting = fetch(`http://${own}/v1/services/none?index=0&wait=60s`);
  // Asked by the very endpoint that goes away.
  await change(server, { http: { listen: ['127.0.0.2:0', '[::1]:0'], maxBody: '1KiB' } });
  assert.match(await watching.text(), /event: end\ndata: .*closing/);
  assert.equal((await waiting).status, 404);
  await assert.rejects(fetch(`http://${own}/healthz`));
  const now = ready();
  assert.deepEqual(now.dns, before.dns);
  assert.equal(now.http.length, 2);
  for (const at of now.http) {
    const status = await (await fetch(`http://${at}/v1/status`)).json();
    assert.deepEqual((status as { http: { listen: string[] } }).http.listen, now.http);
  }
  const body = JSON.stringify({ address: '10.0.0.1', port: 80, meta: { text: 'x'.repeat(1024) } });
  const sent = { method: 'PUT', headers: { 'content-type': 'application/json' }, body };
  assert.equal((await fetch(`http://${now.http[0]}/v1/services/cart/instances/c1`, sent)).status, 413);

  await t.test('every endpoint that cannot be opened is named, and nothing changes', async () => {
    writeConfig(server.folder, {
      dns: { listen: ['198.51.100.1:5300'] },
      http: { listen: ['198.51.100.2:80', '198.51.100.3:80'] },
    });
    const reply = await fetch(`http://${now.http[1]}/v1/reload`, { method: 'POST' });
    const text = await reply.text();
    assert.equal(reply.status, 400, text);
    for (const at of ['198.51.100.1:5300', '198.51.100.2:80', '198.51.100.3:80']) assert.ok(text.includes(at), text);
    assert.deepEqual(ready(), now);
    for (const at of now.http) assert.equal((await fetch(`http://${at}/healthz`)).status, 200, at);
  });
});

test('what needs a restart is said at every reload until then', async (t) => {
  const server = await startBuiltServer(t);
  const warnings = async (config: Record<string, unknown>): Promise<string> => {
    writeConfig(server.folder, config);
    const { status, body } = await server.api('POST', '/v1/reload');
    assert.equal(status, 200, JSON.stringify(body));
    return JSON.stringify(body.problems);
  };
  assert.equal(await warnings({}), '[]');
  for (let i = 0; i < 2; i++) {
    const told = await warnings({
      http: { maxBody: '1MiB' },
      dns: { workers: 1 },
      health: { jitter: 0.2, interval: '9s' },
    });
    assert.match(told, /'dns\.workers' takes effect after a restart/);
    assert.doesNotMatch(told, /http\.maxBody/);
    assert.match(told, /'health\.jitter' takes effect after a restart/);
    assert.doesNotMatch(told, /health\.interval/);
  }
  assert.equal(await warnings({}), '[]', 'what is in force is wanted again');
});

test('mistakes in the configuration and in zone files are told together', async (t) => {
  const { server, change: changeZone } = await startWithZone(t);
  changeZone(BROKEN);
  writeConfig(server.folder, { dns: { ttl: 7, maxAnswers: 0 } });
  const { status, body } = await server.api('POST', '/v1/reload');
  assert.equal(status, 400);
  const places = JSON.stringify(body.error.details);
  for (const each of [BROKEN_AT, /dns\.ttl|must/, /rollcall\.yaml:\d+:\d+/]) assert.match(places, each);
  assert.ok(body.error.details.length >= 3, places);
});

async function change(server: BuiltServer, config: object): Promise<void> {
  writeConfig(server.folder, config as Record<string, unknown>);
  const { status, body } = await server.api('POST', '/v1/reload');
  assert.equal(status, 200, JSON.stringify(body));
}

async function addressesAt(server: string): Promise<string[]> {
  const { Resolver } = await import('node:dns/promises');
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([server]);
  return await resolver.resolve4('cart-service.service.local');
}
