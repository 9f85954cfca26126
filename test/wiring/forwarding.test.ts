// forwarding.test.ts -- clients of a whole data plane and the upstreams behind it: shards, node:dgram, TCP; reloads, floods

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Registry as MetricsRegistry } from 'prom-client';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { CLASS, RCODE, TYPE } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { loadSocketCalls } from '../../src/net/socket-calls.ts';
import { DataPlane } from '../../src/wiring/data-plane.ts';
import { exposeForwardMetrics } from '../../src/wiring/forward-metrics.ts';
import type { Zone } from '../../src/zone/zone.ts';
import { extendedError, flagWords, zoneFromText } from '../support/name-server.ts';
import { type Asked, replyTo, ScriptedUpstream } from '../support/scripted-upstream.ts';
import { framed, StreamClient } from '../support/stream-client.ts';

type Scope = { after(cleanup: () => unknown): void };

const A = 'www.example.com. 300 IN A 192.0.2.1';
const answering = (asked: Asked): void => asked.send(replyTo(asked, A));
const ZONE = zoneFromText(`$ORIGIN corp.test.
@ 300 IN SOA ns host 1 2 3 4 5
@ 300 IN NS ns
ns 300 IN A 192.0.2.2
www 100 IN CNAME www.example.com.
gone 100 IN CNAME nobody.example.com.
here 100 IN CNAME localhost.
`);
const unavailable = typeof loadSocketCalls() === 'string' ? 'no shards here' : false;

function configOf(env: Record<string, string>, workers: number) {
  const { config, problems } = loadConfig({
    file: false,
    env: { ROLLCALL_DNS_LISTEN: '[127.0.0.1:0]', ROLLCALL_DNS_WORKERS: `${workers}`, ...env },
    cwd: '/',
  });
  assert.deepEqual(problems, []);
  return config!.dns;
}

async function start(t: Scope, workers: number, env: Record<string, string>, zones: Zone[] = []): Promise<DataPlane> {
  const dns = configOf(env, workers);
  const plane = new DataPlane({ version: 'test', clock: systemClock, log: silentLogger, dns });
  t.after(() => plane.close());
  plane.setView(dns, zones);
  plane.setState({ isLoaded: true });
  await plane.listen(dns);
  return plane;
}

function query(name: string, id = 7): Uint8Array {
  const edns = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };
  return encodeMessage(queryMessage(id, { name: parseName(name), type: TYPE.A, class: CLASS.IN }, edns));
}

/** Ask at an address; the reply, and where it came from. */
async function ask(plane: DataPlane, name: string, address = '127.0.0.1'): Promise<Message & { from: string }> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.send(query(name), plane.endpoints[0]!.port, address);
    const [reply, from] = await once(socket, 'message', { signal: AbortSignal.timeout(15_000) });
    return { ...decodeMessage(reply as Buffer), from: (from as { address: string }).address };
  } finally {
    socket.close();
  }
}

const toOf = (...upstreams: ScriptedUpstream[]) => ({
  ROLLCALL_DNS_FORWARD_TO: JSON.stringify(upstreams.map(({ address }) => address)),
});

for (const [kind, workers] of [
  ['a shard', 1],
  ['node:dgram', 0],
] as const) {
  describe(`by way of ${kind}`, { skip: workers > 0 && unavailable }, () => {
    it('names outside are forwarded, ours and special ones are not', async (t) => {
      const upstream = await ScriptedUpstream.start(t, answering);
      const plane = await start(t, workers, toOf(upstream));
      const reply = await ask(plane, 'www.example.com.');
      assert.deepEqual(reply.answers.map(formatRecord), [A]);
      assert.equal(reply.id, 7);
      assert.equal((await ask(plane, 'nobody.service.local.')).rcode, RCODE.NXDOMAIN);
      assert.equal((await ask(plane, 'a.test.')).rcode, RCODE.NXDOMAIN);
      assert.deepEqual(upstream.names, ['www.example.com.']);
      const counts = plane.counters().flatMap((each) => [...each.queries()]);
      assert.equal(
        counts.reduce((sum, { count }) => sum + count, 0),
        3,
        JSON.stringify(counts),
      );
    });

    it('replies leave from the address that was asked, behind a wildcard too', async (t) => {
      const upstream = await ScriptedUpstream.start(t, answering);
      const plane = await start(t, workers, { ...toOf(upstream), ROLLCALL_DNS_LISTEN: '["0.0.0.0:0"]' });
      const addresses = workers === 0 ? ['127.0.0.1'] : ['127.0.0.1', '127.0.0.9'];
      for (const address of addresses) assert.equal((await ask(plane, 'www.example.com.', address)).from, address);
      const other = await start(t, workers, { ...toOf(upstream), ROLLCALL_DNS_LISTEN: '["[::]:0"]' });
      assert.deepEqual((await ask(other, 'www.example.com.', '::1')).answers.map(formatRecord), [A]);
    });

    it('aliases of ours are followed to names outside, for who may have them asked', async (t) => {
      const target = 'WWW.example.com. 300 IN CNAME web.example.com.\nweb.example.com. 60 IN TYPE1 \\# 4 c0000201';
      const upstream = await ScriptedUpstream.start(t, (asked) => {
        const isNobody = formatName(asked.message.questions[0]!.name).toLowerCase().startsWith('nobody');
        asked.send(isNobody ? replyTo(asked, '', { rcode: 3 }) : replyTo(asked, target));
      });
      const plane = await start(t, workers, toOf(upstream), [ZONE]);
      const alias = 'www.corp.test. 100 IN CNAME www.example.com.';
      const followed = [alias, 'www.example.com. 300 IN CNAME web.example.com.', 'web.example.com. 60 IN A 192.0.2.1'];
      const lower = (message: Message): string[] =>
        message.answers.map((each) => formatRecord(each).replace('WWW', 'www'));
      for (const _ of ['asked', 'kept']) {
        const reply = await ask(plane, 'www.corp.test.');
        assert.deepEqual(lower(reply), followed);
        assert.deepEqual(flagWords(reply), ['qr', 'aa', 'rd', 'ra']);
      }
      assert.equal(upstream.asked.length, 1);
      const missing = await ask(plane, 'gone.corp.test.');
      assert.deepEqual([missing.rcode, missing.answers.length], [RCODE.NXDOMAIN, 1], 'that of the end (RFC 6604)');
      assert.deepEqual((await ask(plane, 'here.corp.test.')).answers.length, 1, 'a special name is not asked for');
      assert.equal(upstream.asked.length, 2);
      const others = { ...toOf(upstream), ROLLCALL_DNS_FORWARD_ALLOW: '[10.0.0.0/8]' };
      plane.setView(configOf(others, workers), [ZONE]);
      assert.deepEqual((await ask(plane, 'www.corp.test.')).answers.map(formatRecord), [alias]);
    });

    it('strangers are refused', async (t) => {
      const upstream = await ScriptedUpstream.start(t, answering);
      const plane = await start(t, workers, { ...toOf(upstream), ROLLCALL_DNS_FORWARD_ALLOW: '[10.0.0.0/8]' });
      const reply = await ask(plane, 'www.example.com.');
      assert.deepEqual([reply.rcode, extendedError(reply)?.code], [RCODE.REFUSED, 18]);
      assert.deepEqual(upstream.asked, []);
    });

    it('an upstream that is this server itself costs a few packets and ends in SERVFAIL', async (t) => {
      const plane = await start(t, workers, {});
      const { port } = plane.endpoints[0]!;
      plane.setView(configOf({ ROLLCALL_DNS_FORWARD_TO: `["127.0.0.1:${port}"]` }, workers), []);
      const reply = await ask(plane, 'www.example.com.');
      assert.equal(reply.rcode, RCODE.SERVFAIL);
      assert.match(extendedError(reply)!.text, /loop/);
      const counted = plane.counters().flatMap((each) => [...each.queries()]);
      assert.ok(counted.reduce((sum, { count }) => sum + count, 0) < 10, JSON.stringify(counted));
    });

    it('a reload changes upstreams at once, and takes them away', async (t) => {
      const [before, after] = [await ScriptedUpstream.start(t, answering), await ScriptedUpstream.start(t, answering)];
      const plane = await start(t, workers, toOf(before));
      await ask(plane, 'a.example.com.');
      plane.setView(configOf(toOf(after), workers), []);
      await ask(plane, 'b.example.com.');
      plane.setView(configOf({}, workers), []);
      assert.equal((await ask(plane, 'c.example.com.')).rcode, RCODE.REFUSED);
      assert.deepEqual([before.names, after.names], [['a.example.com.'], ['b.example.com.']]);
    });

    it('a flood of names with a silent upstream is answered in the end, all of it, and own names beside it', async (t) => {
      const upstream = await ScriptedUpstream.start(t, () => {});
      const plane = await start(t, workers, { ...toOf(upstream), ROLLCALL_DNS_FORWARD_TIMEOUT: '1s' });
      const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
      t.after(() => socket.close());
      const answered = new Set<number>();
      const rcodes = new Set<number>();
      socket.on('message', (reply) => {
        answered.add(reply.readUInt16BE(0));
        rcodes.add(reply[3]! & 0xf);
      });
      const { port } = plane.endpoints[0]!;
      const COUNT = 3000;
      for (let i = 0; i < COUNT; i++) {
        socket.send(query(`n${i}.example.com.`, i), port, '127.0.0.1');
        if (i % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal((await ask(plane, 'nobody.service.local.')).rcode, RCODE.NXDOMAIN);
      const deadlineMs = performance.now() + 15_000;
      while (answered.size < COUNT && performance.now() < deadlineMs)
        await new Promise((resolve) => setTimeout(resolve, 20));
      // Datagrams get lost where a buffer is short of room, which is not what this is about.
      assert.ok(answered.size > COUNT * 0.95, `${answered.size} answered`);
      assert.deepEqual([...rcodes], [RCODE.SERVFAIL]);
      assert.ok(upstream.asked.length < 3 * 512 + 100, `${upstream.asked.length} asked`);
      assert.equal(plane.forwarder.waiting, 0);
    });

    it('at a stop, who waits is answered', async (t) => {
      const upstream = await ScriptedUpstream.start(t, () => {});
      const plane = await start(t, workers, { ...toOf(upstream), ROLLCALL_DNS_FORWARD_TIMEOUT: '60s' });
      const reply = ask(plane, 'www.example.com.');
      while (upstream.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      const startedMs = performance.now();
      const closed = plane.close();
      assert.equal((await reply).rcode, RCODE.SERVFAIL);
      await closed;
      assert.ok(performance.now() - startedMs < 5000, 'within a deadline');
    });
  });
}

describe('by way of TCP', () => {
  it('questions wait side by side, and each gets its answer', async (t) => {
    const upstream = await ScriptedUpstream.start(t, answering);
    const plane = await start(t, 0, toOf(upstream));
    const client = await StreamClient.connect(plane.endpoints[0]!);
    t.after(() => client.socket.destroy());
    const ids = Array.from({ length: 100 }, (_, i) => i);
    for (const id of ids) client.socket.write(framed(query(`n${id % 60}.example.com.`, id)));
    const seen: number[] = [];
    for (const _ of ids) seen.push(decodeMessage(Buffer.from((await client.next())!, 'latin1')).id);
    assert.deepEqual(
      seen.sort((a, b) => a - b),
      ids,
    );
  });
});

describe('metrics', () => {
  it('tell of upstreams and answers', async (t) => {
    const upstream = await ScriptedUpstream.start(t, answering);
    const plane = await start(t, 0, toOf(upstream));
    for (const _ of [1, 2, 3]) await ask(plane, 'www.example.com.');
    const metrics = new MetricsRegistry();
    exposeForwardMetrics(metrics, plane.forwarder);
    const text = await metrics.metrics();
    for (const line of [
      `rollcall_forward_queries_total{upstream="${upstream.address}",result="ok"} 1`,
      'rollcall_forward_answers_total{source="upstream"} 1',
      'rollcall_forward_answers_total{source="cache"} 2',
      'rollcall_forward_in_flight 0',
      'rollcall_forward_cache_entries 1',
      `rollcall_forward_upstream_up{upstream="${upstream.address}"} 1`,
    ]) {
      assert.ok(text.includes(line), `${line}\n${text}`);
    }
  });
});
