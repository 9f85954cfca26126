// forward-cache.test.ts -- what is kept of upstreams' replies, for how long, and what is given when they fail

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RCODE } from '../../src/dns/codes.ts';
import { FLAG } from '../../src/dns/header.ts';
import type { Message } from '../../src/dns/message.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { TestForwarder } from '../support/forwarding.ts';
import { extendedError } from '../support/name-server.ts';
import { type Asked, replyTo, ScriptedUpstream } from '../support/scripted-upstream.ts';

const A = 'www.example.com. 300 IN A 192.0.2.1';
const SOA = 'example.com. 900 IN SOA ns.example.com. host.example.com. 1 2 3 4 60';
const texts = (message: Message): string[] => message.answers.map(formatRecord);

describe('the cache', () => {
  /** A forwarder on a clock that stands still; `late` asks while time goes by. */
  async function start(
    t: Parameters<typeof ScriptedUpstream.start>[0],
    reply: (asked: Asked) => Uint8Array | undefined,
    settings = {},
  ) {
    const clock = new FakeClock();
    const upstream = await ScriptedUpstream.start(t, (asked) => {
      const message = reply(asked);
      if (message !== undefined) asked.send(message);
    });
    const server = new TestForwarder(t, { to: [upstream.address], ...settings }, clock);
    const patiently = async (question: string): Promise<Message> => {
      const asking = server.ask(question);
      while (server.forwarder.waiting > 0) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        if (upstream.asked.length > 0) await clock.advance(500);
      }
      return await asking;
    };
    return { clock, upstream, server, patiently };
  }

  it('ages TTLs, and asks again when the least of them is over', async (t) => {
    const two = `${A}\nwww.example.com. 60 IN A 192.0.2.2`;
    const { clock, upstream, server } = await start(t, (asked) => replyTo(asked, two));
    await server.ask('www.example.com. A');
    await clock.advance(59_999);
    assert.deepEqual(
      (await server.ask('WWW.EXAMPLE.COM. A')).answers.map(({ ttlSeconds }) => ttlSeconds),
      [241, 1],
    );
    assert.equal(upstream.asked.length, 1);
    await clock.advance(1);
    await server.ask('www.example.com. A');
    assert.equal(upstream.asked.length, 2);
    assert.deepEqual(
      [...server.forwarder.answers],
      [
        ['upstream', 2],
        ['cache', 1],
      ],
    );
  });

  const negatives: readonly [string, (asked: Asked) => Uint8Array, number][] = [
    ['NXDOMAIN as long as its SOA says', (asked) => replyTo(asked, '', { rcode: 3, authorities: SOA }), 60],
    ['NODATA as long as its SOA says', (asked) => replyTo(asked, '', { authorities: SOA }), 60],
    ['NXDOMAIN without SOA not at all', (asked) => replyTo(asked, '', { rcode: 3 }), 0],
    ['a referral not at all', (asked) => replyTo(asked, '', { authorities: 'com. 900 IN NS a.com.' }), 0],
    ['a TTL of 0 not at all', (asked) => replyTo(asked, 'www.example.com. 0 IN A 192.0.2.1'), 0],
    ['a TTL of weeks for a day', (asked) => replyTo(asked, 'www.example.com. 2000000 IN A 192.0.2.1'), 86_400],
    [
      'NXDOMAIN for days for an hour',
      (asked) => replyTo(asked, '', { rcode: 3, authorities: 'com. 900000 IN SOA a. b. 1 2 3 4 900000' }),
      3600,
    ],
  ];
  for (const [name, reply, seconds] of negatives) {
    it(`keeps ${name}`, async (t) => {
      const { clock, upstream, server } = await start(t, reply);
      await server.ask('www.example.com. A');
      if (seconds > 0) {
        await clock.advance(seconds * 1000 - 1);
        const kept = await server.ask('www.example.com. A');
        assert.equal(upstream.asked.length, 1);
        for (const { ttlSeconds } of kept.answers) assert.ok(ttlSeconds <= 86_400, `TTL ${ttlSeconds}`);
        await clock.advance(1);
      }
      await server.ask('www.example.com. A');
      assert.equal(upstream.asked.length, 2);
    });
  }

  it('believes nothing beside the answer', async (t) => {
    const additionals = 'bank.example.net. 300 IN A 6.6.6.6';
    const { upstream, server } = await start(t, (asked) => replyTo(asked, A, { additionals }));
    await server.ask('www.example.com. A');
    await server.ask('bank.example.net. A');
    assert.deepEqual(upstream.names, ['www.example.com.', 'bank.example.net.']);
  });

  it('keeps answers with checking disabled apart from others', async (t) => {
    const { upstream, server } = await start(t, (asked) => replyTo(asked, A));
    await server.ask('www.example.com. A');
    await server.ask('www.example.com. A', { flags: FLAG.CD });
    await server.ask('www.example.com. A', { flags: FLAG.AD });
    assert.equal(upstream.asked.length, 2);
  });

  it('is bounded, and can be off', async (t) => {
    const { server } = await start(t, (asked) => replyTo(asked, A), { cacheSize: 10 });
    for (let i = 0; i < 30; i++) await server.ask(`n${i}.example.com. A`);
    assert.equal(server.forwarder.cache.size, 10);
    const text = `www.example.com. 300 IN TXT ${Array.from({ length: 4 }, () => `"${'x'.repeat(250)}"`).join(' ')}`;
    const large = await start(t, (asked) => replyTo(asked, text), { cacheSize: 10 });
    for (let i = 0; i < 30; i++) await large.server.ask(`n${i}.example.com. TXT`);
    const { size, octets } = large.server.forwarder.cache;
    assert.ok(size >= 5 && size < 10 && octets <= 10_240, `${size} replies of ${octets} octets`);
    const off = await start(t, (asked) => replyTo(asked, A), { cacheSize: 0 });
    for (const _ of [1, 2]) await off.server.ask('www.example.com. A');
    assert.equal(off.upstream.asked.length, 2);
  });

  it('gives stale answers with a TTL of 30 s and an extended error while nobody answers, for a day at most', async (t) => {
    let isSilent = false;
    const { clock, server, patiently } = await start(t, (asked) => (isSilent ? undefined : replyTo(asked, A)));
    await server.ask('www.example.com. A');
    isSilent = true;
    await clock.advance(301_000);
    const stale = await patiently('www.example.com. A');
    assert.deepEqual(texts(stale), ['www.example.com. 30 IN A 192.0.2.1']);
    assert.equal(extendedError(stale)?.code, 3);
    // Without waiting again.
    assert.deepEqual(texts(await server.ask('www.example.com. A')), ['www.example.com. 30 IN A 192.0.2.1']);
    await clock.advance(86_400_000);
    const reply = await patiently('www.example.com. A');
    assert.deepEqual([reply.rcode, reply.answers], [RCODE.SERVFAIL, []]);
  });

  it('remembers failures for a second, then for longer and longer, until an upstream is back', async (t) => {
    const { clock, upstream, server } = await start(t, (asked) => replyTo(asked, '', { rcode: RCODE.SERVFAIL }));
    const asksAfter = async (ms: number): Promise<boolean> => {
      const before = upstream.asked.length;
      await clock.advance(ms);
      assert.equal((await server.ask('www.example.com. A')).rcode, RCODE.SERVFAIL);
      return upstream.asked.length > before;
    };
    const asked = [0, 999, 1, 1999, 1, 3999, 1];
    const expected = [true, false, true, false, true, false, true];
    for (const [i, ms] of asked.entries()) assert.equal(await asksAfter(ms), expected[i], `after ${ms} ms (${i})`);
  });
});
