// etcd-access.test.ts -- the etcd store behind TLS, client certificates, users whose tokens run out, and dead endpoints

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../src/base/log.ts';
import { openEtcdStore } from '../../src/stores/etcd.ts';
import { makeCertificate } from '../support/certificate.ts';
import { ETCD_TOOLS, startEtcd } from '../support/etcd-server.ts';
import { freePort } from '../support/free-port.ts';
import { requireTools } from '../support/tools.ts';

const log = silentLogger;
const PREFIX = '/r';

it('lets only certificates in where etcd asks for them', async (t) => {
  if (!(await requireTools(t, { ...ETCD_TOOLS, openssl: 'openssl' }))) return;
  const { certFile, keyFile, remove } = makeCertificate();
  t.after(remove);
  const args = ['--cert-file', certFile, '--key-file', keyFile, '--client-cert-auth', '--trusted-ca-file', certFile];
  const { endpoint } = await startEtcd(t, { scheme: 'https', args });
  const open = (tls: object) => openEtcdStore({ endpoints: [endpoint], prefix: PREFIX, log, tls });
  const store = await open({ caFile: certFile, certFile, keyFile });
  assert.equal(typeof (await store.commit([{ key: 'k', value: 1 }])), 'number');
  await store.close();
  await assert.rejects(open({ caFile: certFile }), { code: 'store_unavailable' });
  await assert.rejects(open({}), { code: 'store_unavailable' });
  await assert.rejects(open({ caFile: '/nowhere' }), { code: 'store_unavailable' });
});

it('logs in, and again when its token has run out, also for the watch', async (t) => {
  if (!(await requireTools(t, ETCD_TOOLS))) return;
  const etcd = await startEtcd(t, { args: ['--auth-token-ttl', '1'] });
  for (const command of [
    'user add root:secret',
    'user add node:word',
    'role add node',
    `role grant-permission node readwrite --prefix=true ${PREFIX}/v1`,
    'user grant-role node node',
    'user grant-role root root',
    'auth enable',
  ]) {
    await etcd.ctl(...command.split(' '));
  }
  const access = { endpoints: [etcd.endpoint], prefix: PREFIX, log, username: 'node' };
  await assert.rejects(openEtcdStore({ ...access, password: 'wrong' }), { code: 'store_unavailable' });
  await assert.rejects(openEtcdStore({ ...access, password: 'word', prefix: '/else' }), { code: 'store_unavailable' });
  const store = await openEtcdStore({ ...access, password: 'word' });
  await store.commit([{ key: 'k', value: 1 }]);
  await sleep(2_500);
  assert.equal(typeof (await store.commit([{ key: 'k', value: 2 }])), 'number', 'with a new token');
  await sleep(2_500);
  await etcd.kill();
  await etcd.restart();
  for (let tries = 0; ; tries++) {
    const outcome = await store.commit([{ key: 'k', value: 3 }]).catch((error) => error);
    if (typeof outcome === 'number') break;
    assert.ok(tries < 10, String(outcome));
  }
  await store.close();
});

it('goes on at the next endpoint, and answers while there is none', async (t) => {
  if (!(await requireTools(t, ETCD_TOOLS))) return;
  const etcd = await startEtcd(t);
  const dead = `http://127.0.0.1:${await freePort()}`;
  const store = await openEtcdStore({
    endpoints: [dead, etcd.endpoint, dead.replace('127.0.0.1', '127.0.0.2')],
    prefix: PREFIX,
    log,
  });
  assert.equal(typeof (await store.commit([{ key: 'k', value: 1 }])), 'number');
  await etcd.kill();
  const startedMs = performance.now();
  await assert.rejects(store.commit([{ key: 'k', value: 2 }]), { code: 'store_unavailable' });
  assert.ok(performance.now() - startedMs < 4_000, 'within about two seconds');
  assert.equal(store.isUp(), false);
  await etcd.restart();
  for (let tries = 0; ; tries++) {
    const outcome = await store.commit([{ key: 'k', value: 3 }]).catch((error) => error);
    if (typeof outcome === 'number') break;
    assert.ok(tries < 10, String(outcome));
  }
  assert.equal(JSON.stringify((await store.load()).records[0]?.value), '3');
  assert.equal(store.isUp(), true);
  assert.equal((await etcd.ctl('get', `${PREFIX}/v1/k`, '--print-value-only')).trim(), '3', 'readable with etcdctl');
  await store.close();
});
