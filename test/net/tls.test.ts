// tls.test.ts -- DNS over TLS on real sockets on loopback: handshakes, resumption, other certificates, PROXY headers

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { after, afterEach, describe, it } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { parsePrefix } from '../../src/base/ip.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Answerer } from '../../src/net/answerer.ts';
import { ConnectionTable, STREAM_LIMITS, type StreamLimits } from '../../src/net/connection-table.ts';
import { TrustedProxies } from '../../src/net/proxied-datagrams.ts';
import { TcpListener } from '../../src/net/tcp.ts';
import { TlsGreeter } from '../../src/net/tls-greeter.ts';
import { makeCertificate } from '../support/certificate.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { proxyHeader } from '../support/proxy-header.ts';
import { framed } from '../support/stream-client.ts';

const first = makeCertificate();
const second = makeCertificate();
after(() => {
  for (const each of [first, second]) each.remove();
});
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

/** Answers with the transport and the last octet of the client's address. */
const answer: Answerer = (_query, transport, out, client) => {
  const text = `${transport} ${client.octets()[15]}`;
  out.set(Buffer.from(text));
  return text.length;
};

async function setUp(limits: Partial<StreamLimits> = {}, trusted: readonly string[] = []) {
  const clock = new FakeClock();
  const table = new ConnectionTable(clock, { ...STREAM_LIMITS, ...limits });
  const greeter = new TlsGreeter(clock, first);
  const proxies = new TrustedProxies(trusted.map((text) => parsePrefix(text)!));
  const options = { answer, clock, log: silentLogger, table, tls: greeter, proxies: () => proxies };
  const listener = await TcpListener.open({ address: '127.0.0.1', port: 0 }, options);
  opened.push({
    close: async () => {
      const closed = listener.close();
      await clock.advance(2000);
      await closed;
      greeter.close();
      assert.equal(clock.pendingCount, 0, 'no timer is left');
    },
  });
  const dial = async (more: ConnectionOptions = {}): Promise<TLSSocket> => {
    const { address, port } = listener.endpoint;
    const socket = connect({ host: address, port, ca: first.cert, ...more });
    opened.push({ close: () => socket.destroy() });
    await once(socket, 'secureConnect');
    return socket;
  };
  return { clock, table, greeter, listener, dial };
}

async function ask(socket: TLSSocket): Promise<string> {
  socket.write(framed('query'));
  const [chunk] = (await once(socket, 'data', { signal: AbortSignal.timeout(5000) })) as [Buffer];
  return chunk.toString('latin1', 2);
}

describe('DNS over TLS', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`answers over ${version}, and agrees on the protocol "dot"`, async () => {
      const { dial, table } = await setUp();
      const socket = await dial({ minVersion: version, maxVersion: version, ALPNProtocols: ['dot'] });
      assert.deepEqual([socket.getProtocol(), socket.alpnProtocol], [version, 'dot']);
      assert.equal(await ask(socket), 'tls 1');
      assert.deepEqual([table.count('tls'), table.count('tcp')], [1, 0]);
    });
    it(`resumes a session over ${version}, with another certificate in force as well`, async () => {
      const { dial, greeter } = await setUp();
      const options = { minVersion: version, maxVersion: version };
      const one = await dial(options);
      const session = version === 'TLSv1.2' ? Promise.resolve([one.getSession()]) : once(one, 'session');
      assert.equal(await ask(one), 'tls 1');
      const [ticket] = (await session) as [Buffer];
      assert.equal(one.isSessionReused(), false);
      const two = await dial({ ...options, session: ticket });
      assert.equal(two.isSessionReused(), true);
      assert.equal(await ask(two), 'tls 1');
      greeter.setIdentity(second);
      const three = await dial({ ...options, session: ticket, ca: [first.cert, second.cert] });
      assert.equal(three.isSessionReused(), true);
      assert.equal(await ask(three), 'tls 1');
    });
  }
  it('refuses TLS 1.1 and protocols that it does not speak', async () => {
    const { dial, table } = await setUp();
    await assert.rejects(dial({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }));
    await assert.rejects(dial({ ALPNProtocols: ['h2'] }), /no application protocol/i);
    assert.equal(table.size, 0);
  });
  it('shows another certificate from now on, and open connections go on', async () => {
    const { dial, greeter } = await setUp();
    const before = await dial();
    greeter.setIdentity(second);
    await assert.rejects(dial(), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    const now = await dial({ ca: second.cert });
    assert.deepEqual([await ask(before), await ask(now)], ['tls 1', 'tls 1']);
    assert.throws(() => greeter.setIdentity({ cert: first.cert, key: second.key }), /mismatch/i);
    assert.equal(await ask(await dial({ ca: second.cert })), 'tls 1');
  });
  it('sends long replies and many of them whole', async () => {
    const { dial } = await setUp();
    const socket = await dial();
    let octets = 0;
    const all = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        octets += chunk.length;
        if (octets === 3000 * 7) resolve();
      });
    });
    socket.write(Buffer.concat(Array(3000).fill(framed('query'))));
    await all;
  });
});

describe('a handshake', () => {
  it('that does not come is dropped after the time for the first query', async () => {
    const { clock, listener, table } = await setUp();
    const silent = connectPlain(listener.endpoint.port, listener.endpoint.address);
    opened.push({ close: () => silent.destroy() });
    silent.on('error', () => {});
    await once(silent, 'connect');
    await ask(await (await setUpDial(listener))());
    await clock.advance(3000);
    assert.equal(table.droppedCount('handshake'), 0);
    const closed = once(silent, 'close');
    await clock.advance(1000);
    await closed;
    assert.equal(table.droppedCount('handshake'), 1);
  });
  it('that is none is dropped, and nobody else notices', async () => {
    const { listener, table, dial } = await setUp();
    const honest = await dial();
    const rude = connectPlain(listener.endpoint.port, listener.endpoint.address);
    opened.push({ close: () => rude.destroy() });
    rude.on('error', () => {});
    rude.write(framed('a query without TLS'));
    rude.resume();
    await once(rude, 'close');
    assert.equal(table.droppedCount('handshake'), 1);
    assert.equal(await ask(honest), 'tls 1');
  });
  it('gives way to newer ones, and never a connection to handshakes', async () => {
    const { listener, table, dial } = await setUp({ maxConnections: 8 });
    const honest = await dial();
    for (let i = 0; i < 20; i++) {
      const silent = connectPlain(listener.endpoint.port, listener.endpoint.address);
      opened.push({ close: () => silent.destroy() });
      silent.on('error', () => {});
      await once(silent, 'connect');
    }
    const newcomer = await dial();
    assert.deepEqual([await ask(honest), await ask(newcomer)], ['tls 1', 'tls 1']);
    assert.ok(table.droppedCount('full') >= 18, `${table.droppedCount('full')} gave way`);
    assert.ok(table.size <= 4, `${table.size} are left: two that ask, two that shake hands`);
  });
});

async function setUpDial(listener: TcpListener) {
  return async (): Promise<TLSSocket> => {
    const { address, port } = listener.endpoint;
    const socket = connect({ host: address, port, ca: first.cert });
    opened.push({ close: () => socket.destroy() });
    await once(socket, 'secureConnect');
    return socket;
  };
}

describe('a PROXY header before the handshake', () => {
  it('tells who asks', async () => {
    const { listener } = await setUp({}, ['127.0.0.1/32']);
    const plain = connectPlain(listener.endpoint.port, listener.endpoint.address);
    plain.write(proxyHeader('192.0.2.77'));
    const socket = connect({ socket: plain, ca: first.cert, host: '127.0.0.1' });
    opened.push({ close: () => socket.destroy() });
    await once(socket, 'secureConnect');
    assert.equal(await ask(socket), 'tls 77');
  });
  it('is asked of trusted senders', async () => {
    const { dial, table } = await setUp({}, ['127.0.0.1/32']);
    await assert.rejects(dial());
    assert.equal(table.droppedCount('proxy'), 1);
  });
});
