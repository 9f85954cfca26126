// rfc-7828.test.ts -- how long an idle connection is kept, told to those who ask: what sockets let answers say (RFC 7828)

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import type { Answerer } from '../../src/net/answerer.ts';
import { ConnectionTable, STREAM_LIMITS } from '../../src/net/connection-table.ts';
import { TcpListener } from '../../src/net/tcp.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { framed, StreamClient } from '../support/stream-client.ts';

/** Tells the timeout to who asks for it with `k`, as the query handler does with an option. */
const answer: Answerer = (query, _transport, out, client) => {
  const text = query[0] === 0x6b ? `k${client.keepaliveDeciseconds}` : 'plain';
  out.set(Buffer.from(text));
  return text.length;
};

async function setUp(t: TestContext) {
  const clock = new FakeClock();
  const table = new ConnectionTable(clock, { ...STREAM_LIMITS, maxConnections: 10 });
  const options = { answer, clock, log: silentLogger, table };
  const listener = await TcpListener.open({ address: '127.0.0.1', port: 0 }, options);
  t.after(async () => {
    const closed = listener.close();
    await clock.advance(2000);
    await closed;
  });
  const ask = async (client: StreamClient, query: string): Promise<string | undefined> => {
    client.socket.write(framed(query));
    return await client.next();
  };
  const dial = async (): Promise<StreamClient> => {
    const client = await StreamClient.connect(listener.endpoint);
    t.after(() => client.socket.destroy());
    assert.equal(await ask(client, 'hello'), 'plain');
    return client;
  };
  return { clock, dial, ask };
}

describe('RFC 7828', () => {
  it('tells the idle timeout in tenths of a second (3.1)', async (t) => {
    const { dial, ask, clock } = await setUp(t);
    const client = await dial();
    assert.equal(await ask(client, 'k'), 'k100');
    await clock.advance(10_000);
    assert.equal(await ask(client, 'k'), 'k100');
  });
  it('tells 0 when connections are scarce, and closes behind its replies (3.4); others stay', async (t) => {
    const { dial, ask } = await setUp(t);
    const clients: StreamClient[] = [];
    for (let i = 0; i < 9; i++) clients.push(await dial());
    const [asking, pipelining, other] = clients;
    assert.equal(await ask(asking!, 'k'), 'k0');
    assert.equal(await asking!.next(), undefined);
    asking!.socket.end();
    pipelining!.socket.write(Buffer.concat([framed('k'), framed('one'), framed('two')]));
    assert.deepEqual(
      [await pipelining!.next(), await pipelining!.next(), await pipelining!.next()],
      ['k0', 'plain', 'plain'],
    );
    assert.equal(await pipelining!.next(), undefined);
    assert.equal(await ask(other!, 'again'), 'plain');
    assert.equal(await ask(other!, 'again'), 'plain');
  });
});
