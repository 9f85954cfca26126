// streams.test.ts -- DNS over TLS and the PROXY protocol, spoken with programs that others wrote

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type BuiltServer,
  makeServerFolder,
  runRollcall,
  startBuiltServer,
  writeConfig,
} from '../support/built-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { requireTools, run } from '../support/tools.ts';

const NAME = 'cart-service.service.local';

async function tlsPort(server: BuiltServer): Promise<string> {
  const { dns } = (await server.api('GET', '/v1/status')).body;
  return String(dns.tls[0]).replace(/^.*:/, '');
}

async function kdig(...words: string[]): Promise<string> {
  return (await run('kdig', ['@127.0.0.1', '+short', '+retry=0', '+time=5', ...words, NAME])).stdout.trim();
}

test('kdig asks over TLS, and a certificate is exchanged by a reload', async (t) => {
  if (!(await requireTools(t, { kdig: 'knot-dnsutils', openssl: 'openssl' }))) return;
  const [first, second] = [makeCertificate(), makeCertificate()];
  t.after(() => {
    for (const each of [first, second]) each.remove();
  });
  const folder = makeServerFolder(t);
  const install = (from: typeof first): void => {
    for (const [source, name] of [
      [from.certFile, 'dns.crt'],
      [from.keyFile, 'dns.key'],
    ] as const) {
      copyFileSync(source, join(folder, `${name}.new`));
      renameSync(join(folder, `${name}.new`), join(folder, name));
    }
  };
  install(first);
  const tls = { listen: ['127.0.0.1:0'], certFile: './dns.crt', keyFile: './dns.key' };
  writeConfig(folder, { dns: { tls } });
  const server = await startBuiltServer(t, { folder });
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  const port = await tlsPort(server);
  const ready = JSON.parse(readFileSync(join(folder, 'run/ready.json'), 'utf8'));
  assert.deepEqual(ready.tls, [`127.0.0.1:${port}`]);
  const ask = (authority: string): Promise<string> =>
    kdig('-p', port, `+tls-ca=${authority}`, '+tls-hostname=localhost');
  assert.equal(await kdig('-p', port, '+tls'), '10.1.0.1');
  assert.equal(await ask(first.certFile), '10.1.0.1');
  assert.equal(await ask(second.certFile), '', 'another authority does not vouch for it');
  const told = server.logged(/reloaded/);
  install(second);
  server.kill('SIGHUP');
  await told;
  assert.equal(await ask(second.certFile), '10.1.0.1');
  assert.equal(await tlsPort(server), port, 'the listener stayed open');
});

test('rollcall query asks over TLS, and trusts whom it is told to', async (t) => {
  if (!(await requireTools(t, { openssl: 'openssl' }))) return;
  const { certFile, keyFile, remove } = makeCertificate();
  t.after(remove);
  const tls = { listen: ['127.0.0.1:0', '[::1]:0'], certFile, keyFile };
  const server = await startBuiltServer(t, { config: { dns: { tls } } });
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  const { dns } = (await server.api('GET', '/v1/status')).body;
  for (const endpoint of dns.tls) {
    const args = ['query', NAME, '--tls', '--server', endpoint, '--json'];
    const { stdout, stderr, exitCode } = await runRollcall(args, { env: { NODE_EXTRA_CA_CERTS: certFile } });
    assert.equal(exitCode, 0, stderr);
    const { transport, answers } = JSON.parse(stdout);
    assert.deepEqual([transport, answers[0].data], ['tls', '10.1.0.1']);
    const stranger = await runRollcall(args);
    assert.deepEqual([stranger.exitCode, stranger.stdout], [1, '']);
    assert.match(stranger.stderr, /^unreachable: .*certificate/);
  }
});

test('kdig tells by PROXY headers for whom it asks, over UDP and TCP', async (t) => {
  if (!(await requireTools(t, { kdig: 'knot-dnsutils' }))) return;
  const server = await startBuiltServer(t, { config: { dns: { proxyProtocol: { from: ['127.0.0.1'] } } } });
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  const port = String(server.dns.port);
  for (const way of ['+notcp', '+tcp']) {
    const proxied = await kdig('-p', port, way, '+proxy=192.0.2.1#1234-203.0.113.1#53');
    assert.equal(proxied, '10.1.0.1', way);
  }
  const plain = await run('kdig', ['@127.0.0.1', '-p', port, '+retry=0', '+time=1', NAME]);
  assert.doesNotMatch(plain.stdout, /10\.1\.0\.1/);
  assert.match(String((await server.api('GET', '/metrics')).body), /rollcall_dns_dropped_total\{reason="proxy"\} 1/);
});
