// rfc-9210.test.ts -- what operators may expect of TCP: always there, bounded, and telling what it does (RFC 9210)

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { ConnectionTable, STREAM_LIMITS, type StreamLimits } from '../../src/net/connection-table.ts';
import { TcpListener } from '../../src/net/tcp.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { flagWords, NameServer, parseQuestion } from '../support/name-server.ts';
import { framed, StreamClient } from '../support/stream-client.ts';

const ZONE = `
$ORIGIN example.test.
$TTL 300
@ SOA ns host 1 3600 600 86400 60
  NS ns
ns A 192.0.2.1
${Array.from({ length: 10 }, (_, i) => `large TXT "${`${i}`.repeat(250)}"`).join('\n')}
`;

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function setUp(limits: Partial<StreamLimits> = {}) {
  const clock = new FakeClock();
  const table = new ConnectionTable(clock, { ...STREAM_LIMITS, ...limits });
  const server = await NameServer.open({ zones: [ZONE] });
  const answer = server.handler.respond.bind(server.handler);
  const options = { answer, clock, log: silentLogger, table };
  const listener = await TcpListener.open({ address: '127.0.0.1', port: 0 }, options);
  opened.push(async () => {
    const closed = listener.close();
    await clock.advance(2000);
    await closed;
  });
  const dial = async (): Promise<StreamClient> => {
    const client = await StreamClient.connect(listener.endpoint);
    opened.push(() => client.socket.destroy());
    return client;
  };
  return { clock, table, server, dial };
}

function query(id: number, question: string, transport = 'tcp'): Buffer {
  const edns = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };
  return Buffer.from(encodeMessage(queryMessage(id, parseQuestion(question), transport === 'udp' ? edns : undefined)));
}

async function ask(client: StreamClient, id: number, question = 'service.local. SOA') {
  client.socket.write(framed(query(id, question)));
  const reply = await client.next();
  return reply === undefined ? undefined : decodeMessage(Buffer.from(reply, 'latin1'));
}

describe('RFC 9210', () => {
  it('what is truncated over UDP is there by TCP, whole (3, 5.1)', async () => {
    const { server, dial } = await setUp();
    const question = 'large.example.test. TXT';
    const overUdp = decodeMessage(server.respond(query(1, question, 'udp'), 'udp')!);
    assert.ok(flagWords(overUdp).includes('tc'), 'it does not fit');
    const overTcp = await ask(await dial(), 2, question);
    assert.deepEqual([overTcp?.id, overTcp?.answers.length, flagWords(overTcp!).includes('tc')], [2, 10, false]);
  });

  it('connections are bounded, and a new one makes the longest idle give way (4.2)', async () => {
    const { clock, table, dial } = await setUp({ maxConnections: 2 });
    const clients: StreamClient[] = [];
    for (let i = 0; i < 3; i++) {
      await clock.advance(10);
      clients.push(await dial());
      assert.equal((await ask(clients[i]!, i))?.id, i);
    }
    assert.equal(await clients[0]!.next(), undefined);
    assert.deepEqual([table.size, table.droppedCount('full')], [2, 1]);
    assert.equal((await ask(clients[1]!, 7))?.id, 7);
  });

  it('questions on one connection are not bounded in number, nor the connection in age (4.5)', async () => {
    const { clock, dial } = await setUp();
    const client = await dial();
    for (let i = 0; i < 1000; i++) {
      assert.equal((await ask(client, i))?.id, i);
      if (i % 10 === 0) await clock.advance(5000);
    }
  });

  it('the idle are closed in time, in order, and it is told why (4.2, 4.3, 6)', async () => {
    const { clock, table, dial } = await setUp();
    const [silent, idle] = [await dial(), await dial()];
    await ask(idle, 1);
    while (table.size < 2) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(STREAM_LIMITS.firstQueryTimeoutMs + 1000);
    assert.deepEqual([await silent.next(), table.droppedCount('idle')], [undefined, 1]);
    assert.equal((await ask(idle, 2))?.id, 2, 'who has asked has longer');
    await clock.advance(STREAM_LIMITS.idleTimeoutMs + 1000);
    assert.deepEqual([await idle.next(), table.droppedCount('idle')], [undefined, 2]);
    idle.socket.end();
    assert.equal(await idle.closed(), undefined, 'without a reset');
  });

  it('limits can be made narrower while connections are open (4.2)', async () => {
    const { clock, table, dial } = await setUp();
    const clients = [await dial(), await dial(), await dial()];
    for (const [i, client] of clients.entries()) {
      await clock.advance(10);
      await ask(client, i);
    }
    table.limits = { ...STREAM_LIMITS, maxConnections: 2 };
    assert.equal((await ask(await dial(), 9))?.id, 9);
    assert.equal(table.size, 2);
    assert.deepEqual([await clients[0]!.next(), await clients[1]!.next()], [undefined, undefined]);
    assert.equal((await ask(clients[2]!, 5))?.id, 5);
  });
});
