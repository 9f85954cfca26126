// forward-cache.test.ts -- what is kept of upstreams' replies, and for how long (when they fail: rfc-8767, rfc-9520)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FLAG } from '../../src/dns/header.ts';
import { startForwarding } from '../support/forwarding.ts';
import { type Asked, replyTo } from '../support/scripted-upstream.ts';

const A = 'www.example.com. 300 IN A 192.0.2.1';
const SOA = 'example.com. 900 IN SOA ns.example.com. host.example.com. 1 2 3 4 60';

describe('the cache', () => {
  it('ages TTLs, and asks again when the least of them is over', async (t) => {
    const two = `${A}\nwww.example.com. 60 IN A 192.0.2.2`;
    const { clock, upstream, server } = await startForwarding(t, (asked) => replyTo(asked, two));
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
      const { clock, upstream, server } = await startForwarding(t, reply);
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
    const { upstream, server } = await startForwarding(t, (asked) => replyTo(asked, A, { additionals }));
    await server.ask('www.example.com. A');
    await server.ask('bank.example.net. A');
    assert.deepEqual(upstream.names, ['www.example.com.', 'bank.example.net.']);
  });

  it('keeps answers with checking disabled apart from others', async (t) => {
    const { upstream, server } = await startForwarding(t, (asked) => replyTo(asked, A));
    await server.ask('www.example.com. A');
    await server.ask('www.example.com. A', { flags: FLAG.CD });
    await server.ask('www.example.com. A', { flags: FLAG.AD });
    assert.equal(upstream.asked.length, 2);
  });

  it('is bounded, and can be off', async (t) => {
    const { server } = await startForwarding(t, (asked) => replyTo(asked, A), { cacheSize: 10 });
    for (let i = 0; i < 30; i++) await server.ask(`n${i}.example.com. A`);
    assert.equal(server.forwarder.cache.size, 10);
    const text = `www.example.com. 300 IN TXT ${Array.from({ length: 4 }, () => `"${'x'.repeat(250)}"`).join(' ')}`;
    const large = await startForwarding(t, (asked) => replyTo(asked, text), { cacheSize: 10 });
    for (let i = 0; i < 30; i++) await large.server.ask(`n${i}.example.com. TXT`);
    const { size, octets } = large.server.forwarder.cache;
    assert.ok(size >= 5 && size < 10 && octets <= 10_240, `${size} replies of ${octets} octets`);
    const off = await startForwarding(t, (asked) => replyTo(asked, A), { cacheSize: 0 });
    for (const _ of [1, 2]) await off.server.ask('www.example.com. A');
    assert.equal(off.upstream.asked.length, 2);
  });
});
