// secondaries.test.ts -- other name servers take the zone over and follow the registry

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { freePort } from '../support/free-port.ts';
import { requireTools, run, spawnServer } from '../support/tools.ts';

/** Secondaries look for a new serial every second: nobody tells them of one. */
const ZONE = `
$ORIGIN service.local.
$TTL 60
@ SOA ns hostmaster 2026010101 1 1 3600 1
  NS ns
ns A 127.0.0.1
static TXT "from the file"
`;
const OPTIONS = {
  config: { dns: { transfer: { to: ['127.0.0.1'] } } },
  zones: { 'service.local.zone': ZONE },
};

interface Secondary {
  readonly title: string;
  readonly tools: Readonly<Record<string, string>>;
  /** Writes its files; the command to run in the foreground. */
  command(folder: string, port: number, primary: BuiltServer): readonly [command: string, ...args: string[]];
}

const SECONDARIES: readonly Secondary[] = [
  {
    title: 'Knot',
    tools: { knotd: 'knot' },
    command(folder, port, { dns }) {
      const config = `
server:
  listen: 127.0.0.1@${port}
  rundir: "${folder}"
database:
  storage: "${folder}"
log:
  - target: stderr
    any: info
remote:
  - id: primary
    address: 127.0.0.1@${dns.port}
zone:
  - domain: service.local
    master: primary
    storage: "${folder}"
    zonefile-sync: -1
    refresh-min-interval: 2
    refresh-max-interval: 2
    retry-min-interval: 2
    retry-max-interval: 2
`;
      writeFileSync(join(folder, 'knot.conf'), config);
      return ['knotd', '-c', join(folder, 'knot.conf')];
    },
  },
  {
    title: 'NSD',
    tools: { nsd: 'nsd' },
    command(folder, port, { dns }) {
      const config = `
server:
  ip-address: 127.0.0.1@${port}
  port: ${port}
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  database: ""
  pidfile: "${folder}/nsd.pid"
  xfrdfile: "${folder}/xfrd.state"
  xfrdir: "${folder}"
  zonelistfile: "${folder}/zone.list"
  xfrd-reload-timeout: 0
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: service.local
  zonefile: "${folder}/service.local.zone"
  request-xfr: AXFR 127.0.0.1@${dns.port} NOKEY
  allow-notify: 127.0.0.1 NOKEY
  max-refresh-time: 1
  min-refresh-time: 1
  max-retry-time: 1
  min-retry-time: 1
`;
      writeFileSync(join(folder, 'nsd.conf'), config);
      return ['nsd', '-d', '-c', join(folder, 'nsd.conf')];
    },
  },
];

describe('a zone in the hands of others', () => {
  it('dig axfr | named-checkzone: is sound', async (t) => {
    if (!(await requireTools(t, { dig: 'bind9-dnsutils', 'named-checkzone': 'bind9-utils' }))) return;
    const server = await startBuiltServer(t, OPTIONS);
    for (let i = 0; i < 300; i++) {
      const more = {
        tags: ['v1', 'eu'],
        ports: { http: 80, grpc: 81 },
        meta: { alpn: 'h2', 'odd key': 'a "quote"; \\' },
      };
      await server.register(`shop-${i % 9}`, `shop:${i}`, { address: `10.0.${i % 7}.${i % 250}`, port: 80, ...more });
    }
    const zone = await run('dig', [`@127.0.0.1`, '-p', `${server.dns.port}`, 'service.local', 'AXFR', '+onesoa']);
    assert.match(zone.stdout, /shop-3\.service\.local\.\s+5\s+IN\s+A\s/);
    const file = join(server.folder, 'taken.zone');
    writeFileSync(file, zone.stdout);
    const checked = await run('named-checkzone', ['-i', 'full', '-k', 'ignore', 'service.local', file]);
    assert.equal(checked.exitCode, 0, checked.stdout);
    assert.match(checked.stdout, /OK\s*$/);
    const refused = await run('dig', [
      '@127.0.0.1',
      '-b',
      '127.0.0.2',
      '-p',
      `${server.dns.port}`,
      'service.local',
      'AXFR',
    ]);
    assert.match(refused.stdout, /Transfer failed/);
  });

  for (const secondary of SECONDARIES) {
    it(`${secondary.title} follows the registry, with healthy instances only, over a restart too`, async (t) => {
      if (!(await requireTools(t, { dig: 'bind9-dnsutils', ...secondary.tools }))) return;
      let server = await startBuiltServer(t, OPTIONS);
      await server.register('web', 'w1', { address: '10.0.0.1', port: 80 });
      await server.register('web', 'w2', { address: '10.0.0.2', port: 80, checks: [HEARTBEAT] });
      await server.untilStatus('web', 'w2', 'pending');
      const port = await startSecondary(t, secondary, server);
      const from = (name: string, type: string) => digAt(port, name, type);
      await until(async () => (await from('web.service.local', 'A')) === '10.0.0.1', `${secondary.title} has the zone`);
      assert.equal(await from('static.service.local', 'TXT'), '"from the file"');
      assert.match(await from('_web._tcp.service.local', 'SRV'), /^0 1 80 10-0-0-1\.addr\.service\.local\.$/);

      assert.equal((await server.api('PUT', '/v1/instances/w2/heartbeat', { status: 'passing' })).status, 200);
      await until(async () => (await from('web.service.local', 'A')) === '10.0.0.1 10.0.0.2', 'a healthy one joins');
      assert.equal((await server.api('PUT', '/v1/instances/w2/heartbeat', { status: 'critical' })).status, 200);
      await until(async () => (await from('web.service.local', 'A')) === '10.0.0.1', 'an unhealthy one leaves');

      // Serials that go back would be taken for old news.
      server.kill('SIGKILL');
      await server.exited;
      const dnsPort = server.dns.port;
      const config = {
        ...OPTIONS.config,
        dns: { ...OPTIONS.config.dns, listen: [`127.0.0.1:${dnsPort}`], zones: './zones' },
      };
      writeFileSync(
        join(server.folder, 'rollcall.yaml'),
        JSON.stringify({ ...config, http: { listen: ['127.0.0.1:0'] }, store: { kind: 'lmdb', path: './data' } }),
      );
      server = await startBuiltServer(t, { folder: server.folder });
      await server.register('web', 'w3', { address: '10.0.0.3', port: 80 });
      await until(
        async () => (await from('web.service.local', 'A')) === '10.0.0.1 10.0.0.3',
        'it goes on after a crash',
      );
    });
  }
});

/** `fall` and `rise` of 1: what is reported holds at once. */
const HEARTBEAT = { type: 'heartbeat', id: 'beat', interval: '1h', rise: 1, fall: 1 };

async function startSecondary(t: TestContext, secondary: Secondary, primary: BuiltServer): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-secondary-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const [command, ...args] = secondary.command(folder, port, primary);
  await spawnServer(t, command, args, { ready: async () => (await digAt(port, 'service.local', 'SOA')) !== '' });
  return port;
}

/** The data of the records, sorted, in one line; empty for none. */
async function digAt(port: number, name: string, type: string): Promise<string> {
  const args = ['@127.0.0.1', '-p', `${port}`, '+short', '+norec', '+time=1', '+tries=1', name, type];
  const { stdout, exitCode } = await run('dig', args);
  return exitCode === 0 ? stdout.trim().split('\n').sort().join(' ') : '';
}

/** A secondary asks when it likes, so it can only be looked at again and again. */
async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!(await isSo())) {
    assert.ok(performance.now() < deadlineMs, `not in time: ${what}`);
    await sleep(100);
  }
}
