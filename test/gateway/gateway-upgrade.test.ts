// gateway-upgrade.test.ts -- upgraded connections through a whole gateway: picked, counted, retried, refused, ended

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import { connect, createServer as createTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { Rig, type Scope, TestServer, until } from '../support/gateway-rig.ts';

const ASK = 'GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';

async function start(
  t: Scope,
  route: Parameters<typeof Rig.start>[2] = {},
): Promise<{ rig: Rig; instance: TestServer }> {
  const { rig, instances } = await Rig.start(t, [(_, response) => response.end('plain')], route);
  instances[0]!.server.on('upgrade', (_: IncomingMessage, socket: Duplex) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
    socket.on('error', () => {});
  });
  return { rig, instance: instances[0]! };
}

async function dial(rig: Rig): Promise<{ socket: Socket; got: () => string }> {
  const socket = connect(rig.front.port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  socket.write(ASK);
  await until(() => text.includes('\r\n\r\n') || socket.closed);
  return { socket, got: () => text };
}

describe('upgrades', () => {
  it('count as in flight until they end, and are recorded then', async (t) => {
    const { rig } = await start(t);
    const { socket, got } = await dial(rig);
    assert.match(got(), /^HTTP\/1\.1 101 /, 'status');
    socket.write('hello');
    await until(() => got().endsWith('hello'));
    assert.equal(rig.gateway.loads()[0]!.inFlight, 1, 'in flight');
    assert.equal(rig.gateway.size, 1, 'size');
    socket.end();
    const [record] = await rig.recorded(1);
    assert.equal(record!.status, 101, 'status');
    assert.deepEqual([record!.received, record!.sent], [5, 5], 'octets');
    assert.equal(rig.gateway.loads()[0]!.inFlight, 0, 'in flight');
  });

  it('go to another instance when one cannot be reached', async (t) => {
    const { rig } = await start(t);
    const closed = await TestServer.start(t, createTcp() as unknown as Server);
    closed.stop();
    await once(closed.server, 'close');
    rig.source.add('bad', closed.port);
    for (let i = 0; i < 2; i++) {
      const { socket, got } = await dial(rig);
      assert.match(got(), /^HTTP\/1\.1 101 /, 'status');
      socket.end();
    }
    const records = await rig.recorded(2);
    assert.ok(
      records.some(({ attempts }) => attempts === 2),
      'the bad one was met',
    );
  });

  it('take places of the limit, and others wait', async (t) => {
    const { rig } = await start(t, { limits: { maxConnections: 1, maxQueued: 1, queueTimeoutMs: 30_000 } });
    const { socket } = await dial(rig);
    const reply = fetch(rig.url);
    await until(() => rig.gateway.waiting === 1);
    socket.end();
    assert.equal(await (await reply).text(), 'plain', 'after it');
  });

  it('are refused where no route or instance is for them', async (t) => {
    const { rig } = await start(t, { hosts: ['y'] });
    const { got } = await dial(rig);
    assert.match(got(), /^HTTP\/1\.1 404 [\s\S]*no_route/, 'route');
    const empty = await start(t);
    empty.rig.source.remove('i0');
    assert.match((await dial(empty.rig)).got(), /^HTTP\/1\.1 503 [\s\S]*no_instance/, 'instance');
    const [record] = await empty.rig.recorded(1);
    assert.equal(record!.error, 'no_instance', 'record');
  });

  it('are cut at a stop, and nothing is left', async (t) => {
    const { rig, instance } = await start(t);
    const { socket } = await dial(rig);
    const closed = once(socket, 'close');
    await rig.gateway.close(50);
    await closed;
    await instance.whenEmpty();
    assert.equal(rig.records.length, 1, 'records');
  });
});
