// cookie-secrets.test.ts -- which secrets of server cookies are in force, and that all threads go by them

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { CookieSecrets } from '../../src/wiring/cookie-secrets.ts';
import { DataPlane } from '../../src/wiring/data-plane.ts';
import { COOKIE_SECRET, cookieOf, cookieOption } from '../support/cookies.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { parseQuestion } from '../support/name-server.ts';
import { framed, StreamClient } from '../support/stream-client.ts';

const DAY_MS = 24 * 3_600_000;
const RANDOM = { cookies: true, cookieSecrets: [] };

describe('the secrets of server cookies', () => {
  it('are those configured, none when cookies are off', () => {
    const secrets = new CookieSecrets(new FakeClock(), () => {});
    assert.deepEqual(secrets.of({ cookies: true, cookieSecrets: [COOKIE_SECRET] }), [COOKIE_SECRET]);
    assert.deepEqual(secrets.of({ cookies: false, cookieSecrets: [COOKIE_SECRET] }), []);
    assert.deepEqual(secrets.of({ ...RANDOM, cookies: false }), []);
  });

  it('are otherwise made at random, another one every day, the one before kept', async () => {
    const clock = new FakeClock();
    let rotations = 0;
    const secrets = new CookieSecrets(clock, () => rotations++);
    const [first, ...none] = secrets.of(RANDOM);
    assert.match(first!, /^[0-9a-f]{32}$/);
    assert.deepEqual(none, []);
    assert.notEqual(new CookieSecrets(clock, () => {}).of(RANDOM)[0], first);
    await clock.advance(DAY_MS - 1);
    assert.deepEqual([secrets.of(RANDOM), rotations], [[first], 0]);
    await clock.advance(1);
    const [second, kept, ...others] = secrets.of(RANDOM);
    assert.deepEqual([kept, others, rotations], [first, [], 1]);
    assert.notEqual(second, first);
    await clock.advance(DAY_MS);
    assert.deepEqual([secrets.of(RANDOM)[1], secrets.of(RANDOM).length, rotations], [second, 2, 2]);
    secrets.stop();
    await clock.advance(DAY_MS);
    assert.equal(rotations, 2);
  });

  it('are the same on every thread, from the start and after a reload', async (t) => {
    const load = (env: Record<string, string>) =>
      loadConfig({
        file: false,
        env: { ROLLCALL_DNS_LISTEN: '[127.0.0.1:0]', ROLLCALL_DNS_WORKERS: '1', ...env },
        cwd: '/',
      }).config!.dns;
    const dns = load({});
    const plane = new DataPlane({ version: 'test', clock: systemClock, log: silentLogger, dns });
    t.after(() => plane.close());
    plane.setView(dns, []);
    await plane.listen(dns);
    const { port } = plane.endpoints[0]!;
    const byUdp = async (cookie: string) => {
      const socket = createSocket('udp4');
      socket.send(query(cookie), port, '127.0.0.1');
      const [reply] = await once(socket, 'message', { signal: AbortSignal.timeout(10_000) });
      socket.close();
      return cookieOf(decodeMessage(reply as Buffer))!;
    };
    const byTcp = async (cookie: string) => {
      const client = await StreamClient.connect(plane.endpoints[0]!);
      client.socket.write(framed(query(cookie)));
      const reply = await client.next();
      client.socket.destroy();
      return cookieOf(decodeMessage(Buffer.from(reply!, 'latin1')))!;
    };
    const cookie = await byUdp('0102030405060708');
    assert.equal(await byTcp(cookie), cookie, 'a good one comes back as it is');
    plane.setView(load({ ROLLCALL_DNS_COOKIESECRETS: `["${COOKIE_SECRET}"]` }), []);
    const other = await byUdp(cookie);
    assert.notEqual(other, cookie, 'another secret');
    assert.equal(await byTcp(other), other);
  });
});

function query(cookie: string): Uint8Array {
  const edns = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: [cookieOption(cookie)] };
  return encodeMessage(queryMessage(7, parseQuestion('out.side. A'), edns));
}
