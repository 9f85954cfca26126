// proxy.test.ts -- PROXY headers: read, asked of trusted senders, and who answers are for

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { parsePrefix } from '../../src/base/ip.ts';
import { silentLogger } from '../../src/base/log.ts';
import { AddressClient, type Client } from '../../src/nameserver/client.ts';
import { FORWARD } from '../../src/nameserver/verdict.ts';
import type { Answerer, BatchAnswerer } from '../../src/net/answerer.ts';
import { ConnectionTable, STREAM_LIMITS } from '../../src/net/connection-table.ts';
import {
  proxiedAnswers,
  proxiedBatch,
  proxiedForwards,
  TrustedProxies,
  withoutHeader,
} from '../../src/net/proxied-datagrams.ts';
import { MAX_PROXY_HEADER, readProxyHeader } from '../../src/net/proxy-header.ts';
import { TcpListener } from '../../src/net/tcp.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { proxyHeader } from '../support/proxy-header.ts';
import { framed, StreamClient } from '../support/stream-client.ts';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

function addressOf(client: Client): string {
  return [...client.octets().subarray(12)].join('.');
}

describe('a PROXY header', () => {
  it('tells the source, over IPv4 and IPv6, and ends where it says', () => {
    for (const source of ['192.0.2.1', '2001:db8::77']) {
      for (const transport of [0, 1, 2]) {
        const more = Uint8Array.of(3, 0, 1, 7);
        const header = proxyHeader(source, { transport, more });
        const read = readProxyHeader(Buffer.concat([header, Buffer.from('rest')]));
        assert.ok(typeof read === 'object', `${source} ${transport}: ${JSON.stringify(read)}`);
        assert.deepEqual([read.length, read.source?.text], [header.length, source]);
      }
    }
  });
  it('may tell nobody: LOCAL, no family, Unix sockets', () => {
    for (const options of [{ command: 0 }, { command: 0, family: 9 }, { family: 0 }, { family: 3 }]) {
      const header = proxyHeader('192.0.2.1', options);
      assert.deepEqual(readProxyHeader(header), { length: header.length, source: undefined }, JSON.stringify(options));
    }
    const empty = proxyHeader('192.0.2.1', { command: 0, announced: 0 }).subarray(0, 16);
    assert.deepEqual(readProxyHeader(empty), { length: 16, source: undefined });
  });
  it('is partial at every shorter length', () => {
    const header = proxyHeader('2001:db8::1');
    for (let length = 0; length < header.length; length++) {
      assert.equal(readProxyHeader(header.subarray(0, length)), 'partial', `${length} octets`);
    }
  });
  it('is malformed in many ways', () => {
    const cases: readonly (readonly [string, Uint8Array])[] = [
      ['a DNS message', Buffer.from('00010100000100000000000003777777', 'hex')],
      ['version 1', Buffer.from('PROXY TCP4 192.0.2.1 203.0.113.1 12345 53\r\n')],
      ['another signature', proxyHeader('192.0.2.1', { signature: Buffer.from('0d0a0d0a000d0a515549540b', 'hex') })],
      ['version 3', proxyHeader('192.0.2.1', { version: 3 })],
      ['command 2', proxyHeader('192.0.2.1', { command: 2 })],
      ['family 4', proxyHeader('192.0.2.1', { family: 4 })],
      ['transport 3', proxyHeader('192.0.2.1', { transport: 3 })],
      ['too short for its addresses', proxyHeader('192.0.2.1', { announced: 11 })],
      ['IPv4 as IPv6', proxyHeader('192.0.2.1', { family: 2 })],
      ['too long', proxyHeader('192.0.2.1', { announced: MAX_PROXY_HEADER - 15 })],
    ];
    for (const [what, octets] of cases) assert.equal(readProxyHeader(octets), 'malformed', what);
  });
});

describe('datagrams', () => {
  const trusted = new TrustedProxies([parsePrefix('127.0.0.1')!, parsePrefix('10.0.0.0/8')!]);
  /** The query and the client, as text. */
  const echo: BatchAnswerer = (slot, length, out, client) => {
    const text = `${Buffer.from(slot.subarray(0, length))} for ${addressOf(client)}`;
    out.set(Buffer.from(text));
    return text.length;
  };

  function put(datagram: Uint8Array, sender: string): { reply: string; dropped: number } {
    let dropped = 0;
    const answer = proxiedBatch(echo, trusted, () => dropped++);
    const slot = new Uint8Array(4096).fill(0xee);
    slot.set(datagram);
    const out = Buffer.alloc(4096);
    const length = answer(slot, datagram.length, out, new AddressClient(sender));
    // The other way of the same.
    const whole: Answerer = (query, _transport, to, client) => echo(query, query.length, to, client);
    const direct = proxiedAnswers(whole, trusted, () => {})(
      datagram,
      'udp',
      Buffer.alloc(4096),
      new AddressClient(sender),
    );
    assert.equal(direct, length);
    return { reply: out.toString('latin1', 0, length), dropped };
  }

  for (const [what, datagram, sender, wanted] of [
    ['of a trusted sender', proxied('192.0.2.1'), '127.0.0.1', 'query for 192.0.2.1'],
    ['of a trusted network', proxied('192.0.2.1'), '10.2.3.4', 'query for 192.0.2.1'],
    ['of a trusted sender for itself', proxied('192.0.2.1', { command: 0 }), '127.0.0.1', 'query for 127.0.0.1'],
    ['of others are not looked into', Buffer.from('query'), '127.0.0.2', 'query for 127.0.0.2'],
  ] as const) {
    it(what, () => assert.deepEqual(put(datagram, sender), { reply: wanted, dropped: 0 }));
  }
  for (const [what, datagram] of [
    ['without a header', Buffer.from('query')],
    ['with half of one', proxied('192.0.2.1').subarray(0, 20)],
    ['empty', Buffer.alloc(0)],
  ] as const) {
    it(`of a trusted sender are dropped: ${what}`, () => {
      assert.deepEqual(put(datagram, '127.0.0.1'), { reply: '', dropped: 1 });
    });
  }
  it('that are to be forwarded lose their header too', () => {
    const asked: string[] = [];
    const deferred = proxiedForwards(
      {
        forward: (query, transport, client) => asked.push(`${Buffer.from(query)} ${transport} ${addressOf(client)}`),
        transfer: () => [].values(),
      },
      trusted,
    );
    deferred.forward(proxied('192.0.2.1'), 'udp', new AddressClient('127.0.0.1'), () => {});
    deferred.forward(Buffer.from('query'), 'udp', new AddressClient('127.0.0.9'), () => {});
    deferred.forward(Buffer.from('query'), 'tcp', new AddressClient('127.0.0.1'), () => {});
    assert.deepEqual(asked, ['query udp 192.0.2.1', 'query udp 127.0.0.9', 'query tcp 127.0.0.1']);
    assert.equal(String(withoutHeader(proxied('192.0.2.1'))), 'query');
    assert.equal(String(withoutHeader(Buffer.from('query'))), 'query');
  });
  it('answered by FORWARD keep that verdict', () => {
    const answer = proxiedBatch(
      () => FORWARD,
      trusted,
      () => {},
    );
    const datagram = proxied('192.0.2.1');
    assert.equal(answer(datagram, datagram.length, Buffer.alloc(512), new AddressClient('127.0.0.1')), FORWARD);
  });
});

function proxied(source: string, options = {}): Buffer {
  return Buffer.concat([proxyHeader(source, { transport: 2, ...options }), Buffer.from('query')]);
}

describe('connections', () => {
  async function setUp(limits = {}, from = ['127.0.0.1/32']) {
    const clock = new FakeClock();
    const table = new ConnectionTable(clock, { ...STREAM_LIMITS, ...limits });
    const answer: Answerer = (query, transport, out, client) => {
      const text = `${transport} ${Buffer.from(query)} for ${addressOf(client)}`;
      out.set(Buffer.from(text));
      return text.length;
    };
    const proxies = new TrustedProxies(from.map((text) => parsePrefix(text)!));
    const options = { answer, clock, log: silentLogger, table, proxies: () => proxies };
    const listener = await TcpListener.open({ address: '127.0.0.1', port: 0 }, options);
    opened.push({
      close: async () => {
        const closed = listener.close();
        await clock.advance(2000);
        await closed;
      },
    });
    const dial = async (): Promise<StreamClient> => {
      const client = await StreamClient.connect(listener.endpoint);
      client.socket.on('error', () => {});
      opened.push({ close: () => client.socket.destroy() });
      return client;
    };
    return { clock, table, dial };
  }

  it('of a trusted sender begin with the header, whole or octet by octet', async () => {
    const { dial, table } = await setUp();
    const octets = Buffer.concat([proxyHeader('192.0.2.9'), framed('one'), framed('two')]);
    const whole = await dial();
    whole.socket.write(octets);
    const slow = await dial();
    for (const octet of octets) {
      slow.socket.write(Uint8Array.of(octet));
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const client of [whole, slow]) {
      assert.equal(await client.next(), 'tcp one for 192.0.2.9');
      assert.equal(await client.next(), 'tcp two for 192.0.2.9');
    }
    assert.equal(table.count('tcp'), 2);
  });
  it('of a trusted sender without one are dropped', async () => {
    const { dial, table } = await setUp();
    const client = await dial();
    client.socket.write(framed('query'));
    assert.equal(await client.next(), undefined);
    assert.deepEqual([table.size, table.droppedCount('proxy')], [0, 1]);
  });
  it('of a trusted sender that says nothing are dropped in time', async () => {
    const { clock, dial, table } = await setUp();
    const client = await dial();
    client.socket.write(proxyHeader('192.0.2.9').subarray(0, 10));
    const other = await dial();
    other.socket.write(Buffer.concat([proxyHeader('192.0.2.9'), framed('one')]));
    await other.next();
    await clock.advance(4000);
    assert.equal(await client.next(), undefined);
    assert.equal(table.droppedCount('proxy'), 1);
  });
  it('of others are not looked into', async () => {
    const { dial } = await setUp({}, ['192.0.2.1/32']);
    const client = await dial();
    client.socket.write(framed('query'));
    assert.equal(await client.next(), 'tcp query for 127.0.0.1');
  });
  it('of one source drive out each other, the longest idle first, and nobody else', async () => {
    const { dial, table } = await setUp({ maxPerSource: 2 });
    const ask = async (client: StreamClient): Promise<string | undefined> => {
      client.socket.write(framed('q'));
      return await client.next();
    };
    const from = async (source: string): Promise<StreamClient> => {
      const client = await dial();
      client.socket.write(proxyHeader(source));
      assert.ok(await ask(client), source);
      return client;
    };
    const others = [await from('192.0.2.2'), await from('2001:db8:0:200::1'), await from('127.0.0.1')];
    const one = await from('192.0.2.1');
    const two = await from('192.0.2.1');
    assert.ok(await ask(one), 'the first is no longer the longest idle');
    await from('192.0.2.1');
    assert.equal(await two.next(), undefined);
    // A /56 is one source.
    const six = await from('2001:db8:0:100::1');
    await from('2001:db8:0:101::1');
    await from('2001:db8:0:1ff::1');
    assert.equal(await six.next(), undefined);
    assert.equal(table.droppedCount('source'), 2);
    for (const client of [...others, one]) assert.ok(await ask(client), 'still here');
  });
});
