// shard-clients.test.ts -- clients at several addresses get what is theirs: shards, node:dgram and TCP alike

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
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
import { loadSocketCalls } from '../../src/net/socket-calls.ts';
import { TcpListener } from '../../src/net/tcp.ts';
import { UdpListener } from '../../src/net/udp.ts';
import { Shards } from '../../src/wiring/shards.ts';
import { clientSubnetOption, NameServer } from '../support/name-server.ts';

const calls = loadSocketCalls();
const unavailable = typeof calls === 'string' ? `no shards here: ${calls}` : false;
if (unavailable && process.env.CI) throw new Error(unavailable);

const LOOPBACK = { address: '127.0.0.1', port: 0 };
const CLIENTS = Array.from({ length: 40 }, (_, i) => `127.${i % 3}.0.${i + 2}`);

type Ask = (client: string, name: string, subnet?: string) => Promise<string[]>;

function encode(name: string, subnet: string | undefined): Uint8Array {
  const question = { name: parseName(`${name}.service.local.`), type: TYPE.A, class: 1 };
  const options = subnet === undefined ? [] : [clientSubnetOption(subnet)];
  const edns = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options };
  return encodeMessage(queryMessage(7, question, subnet === undefined ? undefined : edns));
}

function addressesIn(reply: Uint8Array): string[] {
  return decodeMessage(reply)
    .answers.map(({ rdata }) => rdata.join('.'))
    .sort();
}

const askByUdp =
  (port: number): Ask =>
  async (client, name, subnet) => {
    const socket = dgram.createSocket('udp4');
    try {
      await new Promise<void>((resolve) => socket.bind(0, client, resolve));
      const replied = once(socket, 'message', { signal: AbortSignal.timeout(10_000) });
      socket.send(encode(name, subnet), port, '127.0.0.1');
      return addressesIn(((await replied) as [Buffer])[0]);
    } finally {
      socket.close();
    }
  };

const askByTcp =
  (port: number): Ask =>
  async (client, name, subnet) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress: client });
    try {
      const query = encode(name, subnet);
      socket.end(Buffer.concat([Buffer.from([query.length >> 8, query.length & 0xff]), query]));
      const chunks: Buffer[] = [];
      for await (const chunk of socket) chunks.push(chunk as Buffer);
      return addressesIn(Buffer.concat(chunks).subarray(2));
    } finally {
      socket.destroy();
    }
  };

describe('clients at several addresses', { skip: unavailable }, () => {
  let server: NameServer;
  const cleanUp: (() => unknown)[] = [];
  const paths: [name: string, ask: Ask][] = [];
  before(async () => {
    server = await NameServer.open({ clientSubnetFrom: ['127.0.0.0/16'], clientZones: { eu: ['127.1.0.0/16'] } });
    const { registry, handler } = server;
    for (const [id, address, more] of [
      ['sticky-1', '10.0.0.1', {}],
      ['sticky-2', '10.0.0.2', { tags: ['v2'] }],
      ['subnet-1', '127.0.0.200', {}],
      ['subnet-2', '127.1.0.200', {}],
      ['zone-1', '10.0.1.1', { zone: 'eu' }],
      ['zone-2', '10.0.1.2', {}],
    ] as const) {
      await server.register(id.split('-')[0]!, id, { address, port: 80, ...more });
    }
    await server.setPolicy('sticky', { routes: [{ match: { tags: ['v2'] }, percent: 40, sticky: true }] });
    await server.setPolicy('subnet', { affinity: { by: 'subnet', mode: 'pin' } });
    await server.setPolicy('zone', { affinity: { by: 'zone' } });
    const places = new ServicePlaces();
    const shards = Shards.start({
      workers: 2,
      cursorMemory: createCursorMemory(1 << 12),
      limits: { memory: createRateLimitMemory(), seed: 1 },
      places,
      log: silentLogger,
    });
    assert.ok(typeof shards !== 'string', 'shards can be started');
    cleanUp.push(() => shards.pool.close());
    shards.setView(server.plan, DEFAULT_QUERY_SETTINGS);
    shards.introduce(registry);
    shards.setState({ serialOffset: registry.sequence, isLoaded: true, isStale: false });
    const respond = handler.respond.bind(handler);
    const udp = await UdpListener.open(LOOPBACK, { answer: respond, log: silentLogger });
    const tcp = await TcpListener.open(LOOPBACK, { answer: respond, clock: systemClock, log: silentLogger });
    cleanUp.push(
      () => udp.close(),
      () => tcp.close(),
    );
    paths.push(
      ['shards', askByUdp(shards.pool.open(LOOPBACK).endpoint.port)],
      ['node:dgram', askByUdp(udp.endpoint.port)],
      ['TCP', askByTcp(tcp.endpoint.port)],
    );
  });
  after(async () => {
    for (const each of cleanUp) await each();
  });

  it('stay with their side of a sticky canary, whichever way they ask', async () => {
    const counts = new Map<string, number>();
    for (const client of CLIENTS) {
      const got = new Set<string>();
      for (const [, ask] of paths) for (let i = 0; i < 2; i++) got.add((await ask(client, 'sticky')).join(' '));
      assert.equal(got.size, 1, `${client} got ${[...got]}`);
      const [side] = got;
      counts.set(side!, (counts.get(side!) ?? 0) + 1);
    }
    assert.deepEqual([...counts.keys()].sort(), ['10.0.0.1', '10.0.0.2'], 'there are clients on both sides');
  });

  it('get the instances of their subnet and of their zone', async () => {
    for (const [path, ask] of paths) {
      const got = async (name: string) =>
        await Promise.all(['127.0.0.2', '127.1.0.3', '127.2.0.4'].map((c) => ask(c, name)));
      assert.deepEqual(await got('subnet'), [['127.0.0.200'], ['127.1.0.200'], []], path);
      assert.deepEqual(await got('zone'), [['10.0.1.1', '10.0.1.2'], ['10.0.1.1'], ['10.0.1.1', '10.0.1.2']], path);
    }
  });

  it('speak for others only where they are believed', async () => {
    for (const [path, ask] of paths) {
      assert.deepEqual(await ask('127.0.0.2', 'subnet', '127.1.0.0/24'), ['127.1.0.200'], path);
      assert.deepEqual(await ask('127.2.0.2', 'subnet', '127.1.0.0/24'), [], path);
    }
  });
});
