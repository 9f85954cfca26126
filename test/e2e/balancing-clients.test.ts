// balancing-clients.test.ts -- what programs that balance make of our answers: HAProxy, c-ares, and the C library

import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { openNamespace, type Prefix } from '../support/namespace.ts';
import { requireTools, run, spawnServer } from '../support/tools.ts';

const POLL_MS = 50;
const PATIENCE_MS = 20_000;
/** How often HAProxy asks again. */
const REFRESH_MS = 50;
const REFRESHES = 100;
const QUERIES = 400;
const TOLERANCE = 0.04;

/** Ask until the answer is as wanted: nothing tells when another program has changed. */
async function until<T>(ask: () => Promise<T>, isWanted: (got: T) => boolean, what: string): Promise<T> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const got = await ask();
    if (isWanted(got)) return got;
    assert.ok(performance.now() < deadlineMs, `not in time: ${what}; there is ${JSON.stringify(got)}`);
    await sleep(POLL_MS);
  }
}

/** How many SRV questions for a service were answered. */
async function srvAnswers(server: BuiltServer, service: string): Promise<number> {
  const { body } = await server.api('GET', '/metrics');
  const counter = `rollcall_dns_answers_total{service="${service}",type="SRV"} `;
  const line = (body as string).split('\n').find((each) => each.startsWith(counter));
  return Number(line?.slice(counter.length) ?? 0);
}

async function setPolicy(server: BuiltServer, service: string, policy: object): Promise<void> {
  const { status, body } = await server.api('PUT', `/v1/services/${service}/policy`, policy);
  assert.equal(status, 200, JSON.stringify(body));
}

/** Register an instance that accepts the connections of HAProxy's checks; returns its `address:port`. */
async function registerListener(
  t: TestContext,
  server: BuiltServer,
  service: string,
  id: string,
  { address, weight = 1 }: { address: string; weight?: number },
): Promise<string> {
  const listener = createServer((socket) => socket.on('error', () => {}).end()).listen(0, address);
  await once(listener, 'listening');
  t.after(() => listener.close());
  const { port } = listener.address() as AddressInfo;
  await server.register(service, id, { address, port, weight });
  return `${address}:${port}`;
}

/** What HAProxy says of a server that has an address. */
interface Slot {
  readonly name: string;
  readonly address: string;
  readonly status: string;
  readonly weight: number;
  /** Whole seconds since it last went up or down. */
  readonly lastChange: number;
  readonly timesDown: number;
}

/** Reads the servers of a backend that have an address, in the order of their names. */
type Read = (backend: string) => Promise<Slot[]>;

/** HAProxy with a backend for each service. */
async function startHaproxy(t: TestContext, server: BuiltServer, services: readonly string[]): Promise<Read> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-haproxy-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const statsPath = join(folder, 'stats.sock');
  const file = join(folder, 'haproxy.cfg');
  const backends = services.map(
    (service) => `backend ${service}
  server-template slot 6 _${service}._tcp.service.local resolvers rollcall init-addr none check inter 1s fall 10
`,
  );
  writeFileSync(
    file,
    `global
  stats socket ${statsPath} mode 600 level operator
defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
resolvers rollcall
  nameserver one ${server.dns.address}:${server.dns.port}
  accepted_payload_size 1232
  timeout resolve ${REFRESH_MS}ms
  timeout retry 2s
  hold valid ${REFRESH_MS}ms
${backends.join('')}`,
  );
  const ready = (): Promise<boolean> =>
    readSlots(statsPath, 'none').then(
      () => true,
      () => false,
    );
  await spawnServer(t, 'haproxy', ['-db', '-f', file], { ready });
  return (backend) => readSlots(statsPath, backend);
}

async function readSlots(statsPath: string, backend: string): Promise<Slot[]> {
  const socket = connect(statsPath).setEncoding('utf8');
  socket.end('show stat\n');
  let text = '';
  for await (const chunk of socket) text += chunk;
  const [head = [], ...rows] = text
    .replace(/^# /, '')
    .split('\n')
    .map((line) => line.split(','));
  const column = (name: string): number => head.indexOf(name);
  return rows
    .filter((cells) => cells[0] === backend && cells[column('svname')]!.startsWith('slot'))
    .map((cells) => ({
      name: cells[column('svname')]!,
      address: cells[column('addr')]!,
      status: cells[column('status')]!,
      weight: Number(cells[column('weight')]),
      lastChange: Number(cells[column('lastchg')]),
      timesDown: Number(cells[column('chkdown')]),
    }))
    .filter(({ status }) => !status.startsWith('MAINT'));
}

const addressesOf = (slots: readonly Slot[]): string[] => slots.map(({ address }) => address).sort();

/** Wait until so many servers have passed a check. */
function untilUp(read: Read, service: string, count: number): Promise<Slot[]> {
  const areUp = (slots: Slot[]): boolean => slots.length === count && slots.every(({ status }) => status === 'UP');
  return until(() => read(service), areUp, `${count} servers of ${service} are up`);
}

/** Look on through REFRESHES answers: nobody comes, goes, moves or changes its weight. */
async function assertSteady(server: BuiltServer, read: Read, service: string): Promise<void> {
  const last = (await srvAnswers(server, service)) + REFRESHES;
  let before = await read(service);
  const look = async (): Promise<number> => {
    const now = await read(service);
    const seen = (slots: Slot[]): object[] =>
      slots.map(({ lastChange: _, status, ...rest }) => ({ ...rest, isUp: status.startsWith('UP') }));
    assert.deepEqual(seen(now), seen(before));
    for (const [i, { name, lastChange }] of now.entries()) {
      assert.ok(lastChange >= before[i]!.lastChange, `${service} ${name} changed`);
    }
    before = now;
    return await srvAnswers(server, service);
  };
  await until(look, (answers) => answers >= last, `${REFRESHES} more answers`);
}

test('HAProxy with server-template on SRV', async (t) => {
  if (!(await requireTools(t, { haproxy: 'haproxy' }))) return;
  const server = await startBuiltServer(t);
  const places = new Map<string, string>();
  for (let i = 1; i <= 5; i++) {
    for (const [service, net] of [
      ['few', 1],
      ['turns', 2],
    ] as const) {
      const id = `${service}-${i}`;
      places.set(await registerListener(t, server, service, id, { address: `127.0.${net}.${i}` }), id);
    }
  }
  const light = await registerListener(t, server, 'uneven', 'light', { address: '127.0.3.1', weight: 1 });
  const heavy = await registerListener(t, server, 'uneven', 'heavy', { address: '127.0.3.2', weight: 3 });
  await setPolicy(server, 'few', { strategy: 'subset', maxAnswers: 3 });
  await setPolicy(server, 'turns', { strategy: 'round-robin', maxAnswers: 3 });
  await setPolicy(server, 'uneven', { strategy: 'weighted' });
  const read = await startHaproxy(t, server, ['few', 'turns', 'uneven']);
  const weights = (slots: Slot[]): object => Object.fromEntries(slots.map(({ address, weight }) => [address, weight]));

  await t.test('divides weights by 256 and rounds up, so that srvWeightScale 256 shows it ours', async () => {
    assert.deepEqual(weights(await untilUp(read, 'uneven', 2)), { [light]: 1, [heavy]: 1 });
    await setPolicy(server, 'uneven', { strategy: 'weighted', srvWeightScale: 256 });
    const areOurs = (slots: Slot[]): boolean => slots.some(({ weight }) => weight > 1);
    const slots = await until(() => read('uneven'), areOurs, 'weights change');
    assert.deepEqual(weights(slots), { [light]: 1, [heavy]: 3 });
  });

  await t.test('has the servers that another program of the same address is told', async () => {
    const resolver = new Resolver({ timeout: 2000, tries: 1 });
    resolver.setServers([`${server.dns.address}:${server.dns.port}`]);
    const records = await resolver.resolveSrv('few.service.local');
    const told = records.map(({ name, port }) => `${name.split('.')[0]!.replaceAll('-', '.')}:${port}`);
    const slots = await untilUp(read, 'few', 3);
    assert.deepEqual(addressesOf(slots), told.sort());
    assert.ok(
      slots.every(({ address }) => places.get(address)?.startsWith('few-')),
      JSON.stringify(slots),
    );
  });

  await t.test('sees no server of a subset, nor of an answer that holds all, change', async () => {
    await Promise.all(['few', 'uneven'].map((service) => assertSteady(server, read, service)));
  });

  await t.test('sees servers change where short answers take turns', async () => {
    const before = JSON.stringify(addressesOf(await read('turns')));
    const isOther = (slots: Slot[]): boolean => JSON.stringify(addressesOf(slots)) !== before;
    await until(() => read('turns'), isOther, 'other servers');
  });

  await t.test('gives up a drained server, and keeps the others as they are', async () => {
    const [leaving, ...staying] = await read('few');
    assert.equal((await server.api('POST', `/v1/instances/${places.get(leaving!.address)}/drain`)).status, 200);
    const isGone = (slots: Slot[]): boolean => !addressesOf(slots).includes(leaving!.address);
    await until(() => read('few'), isGone, `${leaving!.address} leaves`);
    const slots = await untilUp(read, 'few', 3);
    for (const { name, address, lastChange, timesDown } of staying) {
      const now = slots.find((slot) => slot.name === name);
      assert.deepEqual({ address: now?.address, timesDown: now?.timesDown }, { address, timesDown });
      assert.ok(now!.lastChange >= lastChange, `${name} changed`);
    }
  });
});

/** What part of the answers has each first. */
function sharesOf(firsts: readonly string[]): Record<string, number> {
  const shares: Record<string, number> = {};
  for (const first of firsts) shares[first] = (shares[first] ?? 0) + 1 / firsts.length;
  return shares;
}

function assertShares(firsts: readonly string[], wanted: Readonly<Record<string, number>>): void {
  assert.equal(firsts.length, QUERIES);
  const got = sharesOf(firsts);
  const text = `${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`;
  for (const each of new Set([...Object.keys(got), ...Object.keys(wanted)])) {
    assert.ok(Math.abs((got[each] ?? 0) - (wanted[each] ?? 0)) < TOLERANCE, text);
  }
}

test('the first answers that c-ares gives a program have the shares of the policy', async (t) => {
  const server = await startBuiltServer(t);
  for (const [i, weight] of [1, 3].entries()) {
    await server.register('cart', `cart-${i}`, { address: `10.0.0.${i}`, port: 8000 + i, weight });
  }
  const resolver = new Resolver({ timeout: 3000, tries: 2 });
  resolver.setServers([`${server.dns.address}:${server.dns.port}`]);
  const ask = async (first: () => Promise<string>): Promise<string[]> => {
    const firsts: string[] = [];
    while (firsts.length < QUERIES) firsts.push(await first());
    return firsts;
  };
  const name = 'cart.service.local';
  const policies: readonly (readonly [policy: object, share: number])[] = [
    [{ strategy: 'round-robin' }, 0.5],
    [{ strategy: 'round-robin', maxAnswers: 1 }, 0.5],
    [{ strategy: 'weighted' }, 0.75],
    [{ strategy: 'weighted', maxAnswers: 1 }, 0.75],
  ];
  for (const [policy, share] of policies) {
    await t.test(JSON.stringify(policy), async () => {
      await setPolicy(server, 'cart', policy);
      const addresses = await ask(async () => (await resolver.resolve4(name))[0]!);
      assertShares(addresses, { '10.0.0.0': 1 - share, '10.0.0.1': share });
      const ports = await ask(async () => String((await resolver.resolveSrv(name))[0]!.port));
      assertShares(ports, { 8000: 1 - share, 8001: share });
    });
  }
});

/** Instances of the namespace's services: weight 1 and 3 in each. */
const PAIRS = {
  /** In the namespace's own subnet 10.9.0.0/24, the first far more like 10.9.0.1. */
  own: ['10.9.0.2', '10.9.0.200'],
  /** In its own and in another subnet. */
  mixed: ['10.9.0.3', '10.10.0.1'],
  /** In two other subnets. */
  others: ['10.10.0.2', '10.200.0.2'],
} as const;

/** Set the policy of all services from within the namespace, as nobody else reaches the server there. */
async function setPoliciesWithin(prefix: Prefix, server: BuiltServer, policy: object): Promise<void> {
  const script = `const [url, body, ...services] = process.argv.slice(1);
    const headers = { 'content-type': 'application/json' };
    Promise.all(services.map((each) => fetch(url + '/v1/services/' + each + '/policy', { method: 'PUT', headers, body })))
      .then((replies) => console.log(replies.map(({ status }) => status).join()))`;
  const args = [process.execPath, '-e', script, server.url, JSON.stringify(policy), ...Object.keys(PAIRS)];
  const { stdout, stderr } = await run(prefix[0]!, [...prefix.slice(1), ...args]);
  assert.equal(stdout, '200,200,200\n', stderr);
}

test('the C library sorts what is near itself to the front, and keeps the order of the rest', async (t) => {
  if (!(await requireTools(t, { getent: 'libc-bin' }))) return;
  const prefix = await openNamespace(t, {
    '/etc/resolv.conf': 'nameserver 127.0.0.1\noptions timeout:3 attempts:2\n',
    '/etc/nsswitch.conf': 'hosts: files dns\n',
  });
  if (prefix === undefined) return;
  const enter = async (...words: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(prefix[0]!, [...prefix.slice(1), ...words]);
    assert.equal(exitCode, 0, `${words.join(' ').slice(0, 80)}: ${stderr}`);
    return stdout;
  };
  await enter('ip', 'address', 'add', '10.9.0.1/24', 'dev', 'lo');
  // glibc learns the subnets of IPv4 only where there is an IPv6 address beside the loopback's.
  await enter('ip', 'address', 'add', 'fd00::1/64', 'dev', 'lo');
  await enter('ip', 'route', 'add', '10.0.0.0/8', 'dev', 'lo', 'src', '10.9.0.1');
  const services = Object.entries(PAIRS).flatMap(([service, pair]) =>
    pair.map((address, i) => ({ service, id: `${service}-${i}`, address, port: 80, weight: [1, 3][i] })),
  );
  const server = await startBuiltServer(t, { prefix, config: { dns: { listen: ['127.0.0.1:53'] }, services } });

  /** The first line of each lookup is the one that tells the name. */
  const firsts = async (service: string): Promise<string[]> => {
    const text = await enter('getent', 'ahosts', ...Array<string>(QUERIES).fill(`${service}.service.local`));
    return text.split('\n').flatMap((line) => /^(\S+) +STREAM \S/.exec(line)?.[1] ?? []);
  };
  const cases: readonly (readonly [policy: object, service: keyof typeof PAIRS, share: number])[] = [
    [{ strategy: 'round-robin' }, 'own', 0],
    [{ strategy: 'round-robin' }, 'mixed', 0],
    [{ strategy: 'round-robin' }, 'others', 0.5],
    [{ strategy: 'weighted' }, 'others', 0.75],
    [{ strategy: 'weighted', oneSubnetPerAnswer: true }, 'own', 0],
    [{ strategy: 'weighted', oneSubnetPerAnswer: true }, 'mixed', 0.75],
    [{ strategy: 'weighted', maxAnswers: 1 }, 'own', 0.75],
    [{ strategy: 'weighted', maxAnswers: 1 }, 'mixed', 0.75],
  ];
  for (const [policy, service, share] of cases) {
    await t.test(`${service} ${JSON.stringify(policy)}`, async () => {
      await setPoliciesWithin(prefix, server, policy);
      const [first, second] = PAIRS[service];
      assertShares(await firsts(service), { [first]: 1 - share, [second]: share });
    });
  }
});
