// sieges.test.ts -- malformed messages and floods against a running server; short cuts of the ordeals of these names

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadSocketCalls } from '../../src/net/socket-calls.ts';
import { holdToShare } from '../support/cpu-quota.ts';
import { hosts, startFlood } from '../support/flood.ts';
import { HonestProbe } from '../support/honest-probe.ts';
import { startCorpusServer, throwMalformed } from '../support/malformed.ts';
import { overload } from '../support/overload.ts';
import { anyRatio, FLOODS, floodLimited, LIMIT, startLimitingServer } from '../support/reply-limits.ts';
import { HONEST_QUESTION, MemoryWatch, startSiegeServer } from '../support/siege-server.ts';

const calls = loadSocketCalls();
const skip = typeof calls === 'string' ? calls : false;
const STOPPED = { exitCode: 0, signal: null };

describe('a running server', { skip }, () => {
  test('answers no malformed message as a query, over UDP and TCP', async (t) => {
    const server = await startCorpusServer(t);
    const { crew, probe, growthMib } = await throwMalformed(t, server, { seeds: [11, 12], perSeed: 20_000 });
    t.diagnostic(JSON.stringify({ rcodes: crew.rcodes, probe, growthMib }));
    assert.deepEqual(crew.faults, {});
    assert.equal(crew.sent, 40_000);
    assert.ok((crew.rcodes[1] ?? 0) > 10_000, `FORMERR ${crew.rcodes[1]}`);
    assert.equal(probe.lost, 0);
    assert.ok(growthMib < 32, `grew by ${growthMib} MiB`);
    assert.deepEqual(await server.stop(), STOPPED);
  });

  test('keeps floods of one network within limits, and no others lose by them', async (t) => {
    const server = await startLimitingServer(t);
    const ratio = await anyRatio(server);
    assert.ok(ratio <= 4, `ANY is answered with ${ratio} octets for one`);
    for (const [i, name] of Object.keys(FLOODS).entries()) {
      const seconds = 2;
      const { flood, isOneReply, neighbours, withCookie } = await floodLimited(t, server, {
        name,
        network: i + 1,
        perSecond: 4000,
        seconds,
      });
      const octets = flood.octetsReceived / flood.octetsSent;
      assert.ok(flood.replies > 0, `${name}: there are replies`);
      // What a network has to its credit at first weighs more in two seconds than in ten.
      assert.ok(octets <= 10, `${name}: ${octets} octets out for one in`);
      const most = LIMIT * (seconds + 2);
      assert.ok(!isOneReply || flood.whole <= most, `${name}: ${flood.whole} whole replies, of ${most}`);
      assert.ok(flood.largest <= 1232, `${name}: a reply of ${flood.largest} octets`);
      assert.ok(flood.largestWithoutEdns <= 512, `${name}: ${flood.largestWithoutEdns} octets without EDNS`);
      assert.deepEqual([neighbours.lost, neighbours.refused], [0, 0], `${name}: neighbours`);
      assert.deepEqual([withCookie.lost, withCookie.refused], [0, 0], `${name}: a client with a cookie`);
    }
  });

  test('keeps nothing of names that nobody asks for twice', async (t) => {
    const server = await startSiegeServer(t);
    const kinds = ['', 'cart-service.', 'web.'].map((at) => `xxxxxxxxxxxx.${at}service.local. A edns`);
    const questions = [...kinds, 'xxxxxxxxxxxx.wild.example.test. A edns'];
    const flood = { server: server.dns, sources: hosts('127.9.1', 8), questions, perSecond: 20_000 };
    await (await startFlood(t, { ...flood, seconds: 1 })).report;
    const memory = new MemoryWatch(t, server.pid);
    const probe = await HonestProbe.start({ server: server.dns, questions: [HONEST_QUESTION], perSecond: 100 });
    const { replies, rcodes } = await (await startFlood(t, { ...flood, seconds: 5 })).report;
    const honest = await probe.stop();
    t.diagnostic(JSON.stringify({ replies, rcodes, honest }));
    assert.ok(replies > 50_000, `${replies} replies`);
    assert.deepEqual([honest.lost, honest.refused], [0, 0]);
    const growthMib = memory.end();
    assert.ok(growthMib < 32, `grew by ${growthMib} MiB`);
  });

  test('goes on answering under far too many queries, and is itself again after', async (t) => {
    const server = await startSiegeServer(t);
    const isHeld = holdToShare(t, server.pid, 0.25);
    const questions = [HONEST_QUESTION];
    const result = await overload(t, server, { questions, perSecond: 200_000, seconds: 2 });
    t.diagnostic(JSON.stringify({ isHeld, ...result }));
    assert.ok(result.flood.replies > 5000, `${result.flood.replies} replies`);
    assert.equal(result.after.lost, 0);
    assert.ok(Number.isFinite(result.recoveryMs), 'answers come as before again');
  });
});
