// shards.test.ts -- UDP shards over real sockets: they know what was acknowledged, share turns, come back, and drain

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { TYPE } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { createCursorMemory } from '../../src/nameserver/cursors.ts';
import { DEFAULT_QUERY_SETTINGS } from '../../src/nameserver/query-settings.ts';
import { createRateLimitMemory } from '../../src/nameserver/rate-limit.ts';
import { ServicePlaces } from '../../src/nameserver/service-places.ts';
import { loadSocketCalls, type SocketCalls } from '../../src/net/socket-calls.ts';
import type { UdpSide } from '../../src/net/udp-side.ts';
import { Registry } from '../../src/registry/registry.ts';
import { currentRollout } from '../../src/routing/rollout.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { Shards } from '../../src/wiring/shards.ts';
import { anInstance } from '../support/registrations.ts';

const calls = loadSocketCalls();
const unavailable = typeof calls === 'string' ? `no shards here: ${calls}` : false;
if (unavailable && process.env.CI) throw new Error(unavailable);
const noIpv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'))
  ? false
  : 'no ::1 here';

const CANARY = {
  routes: [{ match: { tags: ['canary'] } }],
  steps: [
    { route: 0, percent: 0, forMs: 1000 },
    { route: 0, percent: 100 },
  ],
};

const PLAN = {
  zones: [],
  domains: [{ apex: parseName('d.test.'), ttlSeconds: 5, negativeTtlSeconds: 5, maxAnswers: 8 }],
  negativeTtlSeconds: 5,
  serverAddresses: ['127.0.0.1'],
  claimLocal: false,
};

/** A registry and shards over it, wired as server.ts does it. */
async function startShards(workers: number): Promise<{ shards: Shards; registry: Registry }> {
  const places = new ServicePlaces();
  const shards = Shards.start({
    workers,
    cursorMemory: createCursorMemory(1 << 12),
    limits: { memory: createRateLimitMemory(), seed: 1 },
    places,
    log: silentLogger,
  });
  assert.ok(typeof shards !== 'string', 'shards can be started');
  const registry = await Registry.open({ store: openMemoryStore(), clock: systemClock, log: silentLogger });
  shards.setView(PLAN, DEFAULT_QUERY_SETTINGS);
  shards.introduce(registry);
  shards.setState({ serialOffset: 0, isLoaded: true, isStale: false });
  registry.onChange((change) => shards.tell(change));
  return { shards, registry };
}

/** One socket that asks and awaits one reply at a time. */
class Client {
  readonly socket: dgram.Socket;
  #id = 0;

  constructor(family: 4 | 6 = 4) {
    this.socket = dgram.createSocket(family === 4 ? 'udp4' : 'udp6');
  }

  async ask(name: string, to: { address: string; port: number }, timeoutMs = 3000) {
    this.#id = (this.#id + 1) & 0xffff;
    const id = this.#id;
    const question = { name: parseName(name, parseName('d.test.')), type: TYPE.A, class: 1 };
    const replied = once(this.socket, 'message', { signal: AbortSignal.timeout(timeoutMs) });
    this.socket.send(encodeMessage(queryMessage(id, question)), to.port, to.address);
    const [octets, from] = (await replied) as [Buffer, dgram.RemoteInfo];
    const message = decodeMessage(octets);
    assert.equal(message.id, id, 'the reply belongs to the question');
    return { message, from, addresses: message.answers.map(({ rdata }) => rdata.join('.')) };
  }
}

describe('UDP shards', { skip: unavailable }, () => {
  let shards: Shards;
  let registry: Registry;
  let listener: UdpSide;
  let client: Client;
  before(async () => {
    ({ shards, registry } = await startShards(2));
    listener = shards.pool.open({ address: '127.0.0.1', port: 0 });
    client = new Client();
  });
  after(async () => {
    client?.socket.close();
    await shards?.pool.close();
    await registry?.stop();
  });

  it('answer what was registered before and after they began', async () => {
    await registry.register(anInstance({ id: 'one', service: 'first', address: '10.0.0.1' }));
    assert.deepEqual((await client.ask('first', listener.endpoint)).addresses, ['10.0.0.1']);
  });

  it('never answer the state before an acknowledged change', async () => {
    for (let round = 0; round < 2000; round++) {
      const address = `10.1.${round >> 8}.${round & 255}`;
      await registry.register(anInstance({ id: 'moving', service: 'moving', address }));
      assert.deepEqual((await client.ask('moving', listener.endpoint)).addresses, [address]);
    }
  });

  it('take turns together: round-robin is exact over all of them', async () => {
    const addresses = [1, 2, 3, 4, 5].map((last) => `10.2.0.${last}`);
    for (const address of addresses) await registry.register(anInstance({ id: address, service: 'turns', address }));
    // Many sockets, so that the kernel spreads them over the group.
    const clients = Array.from({ length: 20 }, () => new Client());
    const firsts = new Map<string, number>();
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(clients.map((each) => each.ask('turns', listener.endpoint)));
      for (const { addresses: got } of answers) firsts.set(got[0]!, (firsts.get(got[0]!) ?? 0) + 1);
    }
    for (const each of clients) each.socket.close();
    assert.deepEqual(
      addresses.map((address) => firsts.get(address)),
      [40, 40, 40, 40, 40],
    );
    const counts = [...shards.counters()].map((each) => [...each.queries()].reduce((sum, { count }) => sum + count, 0));
    assert.ok(
      counts.every((count) => count > 0),
      `every shard had a share: ${counts.join(', ')}`,
    );
  });

  it('answer from the address that was asked, behind a wildcard', async () => {
    const wildcard = shards.pool.open({ address: '0.0.0.0', port: 0 });
    for (const address of ['127.0.0.1', '127.0.0.2', '127.1.2.3']) {
      const { from } = await client.ask('first', { address, port: wildcard.endpoint.port });
      assert.deepEqual([from.address, from.port], [address, wildcard.endpoint.port]);
    }
    await wildcard.close();
  });

  it('answer over IPv6, from the address that was asked', { skip: noIpv6 }, async () => {
    const wildcard = shards.pool.open({ address: '::', port: 0 });
    const six = new Client(6);
    const { from, addresses } = await six.ask('first', { address: '::1', port: wildcard.endpoint.port });
    six.socket.close();
    assert.deepEqual([from.address, addresses], ['::1', ['10.0.0.1']]);
    await wildcard.close();
  });

  it('let go of an endpoint when its listener closes, and take it again', async () => {
    const other = shards.pool.open({ address: '127.0.0.1', port: 0 });
    await client.ask('first', other.endpoint);
    await other.close();
    const taken = dgram.createSocket('udp4');
    taken.bind(other.endpoint.port, '127.0.0.1');
    await once(taken, 'listening');
    taken.close();
    assert.equal((await client.ask('first', listener.endpoint)).message.rcode, 0);
  });

  it('say who cannot be listened on', () => {
    assert.throws(() => shards.pool.open({ address: '192.0.2.77', port: 0 }), { code: 'EADDRNOTAVAIL' });
  });

  it('are replaced when they die, on the same port and with all they knew', async () => {
    // An operation that no shard knows ends it: exactly what a bug would do.
    shards.pool.post({ op: 'member' });
    await until(() => shards.replaced >= shards.pool.count);
    await until(async () => (await tryAsk(client, listener)) !== undefined);
    assert.deepEqual((await client.ask('first', listener.endpoint)).addresses, ['10.0.0.1']);
  });

  it('go by what balancing goes by and by how far steps have come, those that replace others too', async () => {
    const policy = { strategy: 'weighted', maxAnswers: 1, ...CANARY } as const;
    await registry.setPolicy('moved', policy);
    for (const last of [1, 2]) {
      await registry.register(anInstance({ id: `moved-${last}`, service: 'moved', address: `10.3.0.${last}` }));
    }
    const canary = { id: 'moved-3', service: 'moved', address: '10.3.0.3', tags: ['canary'] };
    await registry.register(anInstance(canary));
    shards.tellReadings(new Map([['moved', [registry.setReadings('moved-2', { warmth: 0.1 })!]]]));
    const ofEleven = async (): Promise<(number | undefined)[]> => {
      const counts = new Map<string, number>();
      for (let i = 0; i < 11; i++) {
        const [address] = (await client.ask('moved', listener.endpoint)).addresses;
        counts.set(address!, (counts.get(address!) ?? 0) + 1);
      }
      return [1, 2, 3].map((last) => counts.get(`10.3.0.${last}`));
    };
    const replace = async (): Promise<void> => {
      const target = shards.replaced + shards.pool.count;
      shards.pool.post({ op: 'member' });
      await until(() => shards.replaced >= target);
      await until(async () => (await tryAsk(client, listener)) !== undefined);
    };
    assert.deepEqual(await ofEleven(), [10, 1, undefined]);
    await replace();
    assert.deepEqual(await ofEleven(), [10, 1, undefined]);
    await registry.moveRollout('moved', (service) => {
      const place = currentRollout(policy, service.rollout);
      return { ...place, state: 'running', step: 1, percent: 100, sinceMs: 1 };
    });
    assert.deepEqual(await ofEleven(), [undefined, undefined, 11]);
    await replace();
    assert.deepEqual(await ofEleven(), [undefined, undefined, 11]);
  });

  it('get a new socket when theirs is closed under them', async () => {
    const replaced = shards.replaced;
    for (const fd of shards.pool.descriptors()) (calls as SocketCalls).close(fd);
    await until(() => shards.replaced >= replaced + shards.pool.count);
    await until(async () => (await tryAsk(client, listener)) !== undefined);
    assert.deepEqual((await client.ask('first', listener.endpoint)).addresses, ['10.0.0.1']);
  });
});

async function tryAsk(client: Client, { endpoint }: UdpSide): Promise<string[] | undefined> {
  return await client.ask('first', endpoint, 200).then(
    ({ addresses }) => addresses,
    () => undefined,
  );
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'it takes too long');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
