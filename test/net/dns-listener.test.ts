// dns-listener.test.ts -- UDP and TCP on one port, opened and closed together

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, it, mock } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Answerer } from '../../src/net/answerer.ts';
import { DnsListener } from '../../src/net/dns-listener.ts';
import { TcpListener } from '../../src/net/tcp.ts';
import { UdpListener } from '../../src/net/udp.ts';
import { framed, StreamClient } from '../support/stream-client.ts';

const LOOPBACK = { address: '127.0.0.1', port: 0 };

/** Answers with the transport's name. */
const answer: Answerer = (_query, transport, out) => {
  out.set(Buffer.from(transport));
  return transport.length;
};
const OPTIONS = { answer, clock: systemClock, log: silentLogger };

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  mock.restoreAll();
  for (const each of opened.splice(0)) await each.close();
});

async function listen(endpoint = LOOPBACK): Promise<DnsListener> {
  const listener = await DnsListener.open(endpoint, OPTIONS);
  opened.push(listener);
  return listener;
}

function failWith(code: string): Error {
  return Object.assign(new Error(`listen ${code}`), { code });
}

describe('a DNS listener', () => {
  it('answers over both transports at the port that the system chose', async () => {
    const { endpoint } = await listen();
    const tcp = await StreamClient.connect(endpoint);
    tcp.socket.end(framed('query'));
    assert.equal(await tcp.next(), 'tcp');
    const udp = dgram.createSocket('udp4');
    udp.send('query', endpoint.port, endpoint.address);
    const [reply] = await once(udp, 'message');
    udp.close();
    assert.equal(String(reply), 'udp');
  });
  it('tries another port when the one chosen is taken for TCP, leaving none open', async () => {
    const openTcp = TcpListener.open.bind(TcpListener);
    const openUdp = UdpListener.open.bind(UdpListener);
    const tried: number[] = [];
    const closes: (() => number)[] = [];
    mock.method(TcpListener, 'open', async (...args: Parameters<typeof openTcp>) => {
      tried.push(args[0].port);
      if (tried.length < 4) throw failWith('EADDRINUSE');
      return await openTcp(...args);
    });
    mock.method(UdpListener, 'open', async (...args: Parameters<typeof openUdp>) => {
      const udp = await openUdp(...args);
      const close = mock.method(udp, 'close');
      closes.push(() => close.mock.callCount());
      return udp;
    });
    const { endpoint } = await listen();
    // The fourth may be somebody else's indeed.
    assert.ok(tried.length >= 4, `${tried.length} tries`);
    assert.equal(endpoint.port, tried.at(-1));
    assert.deepEqual(
      closes.map((count) => count()),
      tried.map((_, i) => (i < tried.length - 1 ? 1 : 0)),
    );
  });
  it('gives up in the end, and at once when something else is wrong', async () => {
    let code = 'EADDRINUSE';
    const open = mock.method(TcpListener, 'open', async () => {
      throw failWith(code);
    });
    await assert.rejects(DnsListener.open(LOOPBACK, OPTIONS), { code });
    assert.equal(open.mock.callCount(), 8);
    code = 'EMFILE';
    await assert.rejects(DnsListener.open(LOOPBACK, OPTIONS), { code });
    assert.equal(open.mock.callCount(), 9);
  });
  it('opens both or none', async () => {
    const tcp = await TcpListener.open(LOOPBACK, OPTIONS);
    opened.push(tcp);
    await assert.rejects(DnsListener.open(tcp.endpoint, OPTIONS), { code: 'EADDRINUSE' });
    const udp = await UdpListener.open(tcp.endpoint, { answer, log: silentLogger });
    await tcp.close();
    opened.push(udp);
    await assert.rejects(DnsListener.open(tcp.endpoint, OPTIONS), { code: 'EADDRINUSE', syscall: 'bind' });
    opened.push(await TcpListener.open(tcp.endpoint, OPTIONS));
  });
  it('closes both', async () => {
    const { endpoint } = await listen();
    for (const each of opened.splice(0)) await each.close();
    await listen(endpoint);
  });
});
