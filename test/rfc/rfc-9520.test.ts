// rfc-9520.test.ts -- failures of the forwarder are remembered, and nobody is asked too often meanwhile (RFC 9520)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RCODE } from '../../src/dns/codes.ts';
import { startForwarding } from '../support/forwarding.ts';
import { replyTo } from '../support/scripted-upstream.ts';

const QUESTION = 'www.example.com. A';
const MAX_MS = 300_000;

describe('RFC 9520', () => {
  it('a failure is remembered for a second, then for longer and longer (3.2)', async (t) => {
    const { clock, upstream, server } = await startForwarding(t, (asked) =>
      replyTo(asked, '', { rcode: RCODE.SERVFAIL }),
    );
    const asksAfter = async (ms: number): Promise<boolean> => {
      const before = upstream.asked.length;
      await clock.advance(ms);
      assert.equal((await server.ask(QUESTION)).rcode, RCODE.SERVFAIL);
      return upstream.asked.length > before;
    };
    const asked = [0, 999, 1, 1999, 1, 3999, 1];
    const expected = [true, false, true, false, true, false, true];
    for (const [i, ms] of asked.entries()) assert.equal(await asksAfter(ms), expected[i], `after ${ms} ms (${i})`);
  });

  it('but never for more than 5 minutes (3.2)', async (t) => {
    const { clock, upstream, server } = await startForwarding(t, (asked) =>
      replyTo(asked, '', { rcode: RCODE.SERVFAIL }),
    );
    for (let round = 0; round < 12; round++) {
      const before = upstream.asked.length;
      await server.ask(QUESTION);
      assert.ok(upstream.asked.length > before, `nobody is asked in round ${round}`);
      await clock.advance(MAX_MS);
    }
  });

  it('and forgotten when there is an answer (3.2)', async (t) => {
    let isWell = false;
    const { clock, server } = await startForwarding(t, (asked) =>
      replyTo(asked, isWell ? 'www.example.com. 0 IN A 192.0.2.1' : '', { rcode: isWell ? 0 : RCODE.SERVFAIL }),
    );
    for (let i = 0; i < 3; i++) {
      await server.ask(QUESTION);
      await clock.advance(10_000);
    }
    isWell = true;
    await clock.advance(60_000);
    assert.equal((await server.ask(QUESTION)).answers.length, 1);
    isWell = false;
    await server.ask(QUESTION);
    isWell = true;
    await clock.advance(1000);
    assert.equal((await server.ask(QUESTION)).answers.length, 1, 'a second is enough again');
  });

  it('silence is a failure like any other (2.2, 3.2)', async (t) => {
    const { upstream, server, patiently } = await startForwarding(t, () => undefined);
    assert.equal((await patiently(QUESTION)).rcode, RCODE.SERVFAIL);
    const before = upstream.asked.length;
    assert.ok(before >= 1 && before <= 4, `${before} queries for one question (3.1)`);
    for (let i = 0; i < 20; i++) assert.equal((await server.ask(QUESTION)).rcode, RCODE.SERVFAIL);
    assert.equal(upstream.asked.length, before);
  });

  it('what failed is the question, not its name: other types are asked for (3.2)', async (t) => {
    const { upstream, server } = await startForwarding(t, (asked) => replyTo(asked, '', { rcode: RCODE.SERVFAIL }));
    await server.ask(QUESTION);
    const before = upstream.asked.length;
    await server.ask('www.example.com. TXT');
    await server.ask('other.example.com. A');
    assert.ok(upstream.asked.length >= before + 2, `${upstream.asked.length - before} queries for two other questions`);
  });

  it('a server that fails gets a bounded number of queries, however many clients ask at once (3.1)', async (t) => {
    const { upstream, server } = await startForwarding(t, (asked) => replyTo(asked, '', { rcode: RCODE.SERVFAIL }));
    const replies = await Promise.all(Array.from({ length: 100 }, () => server.ask(QUESTION)));
    assert.ok(
      replies.every(({ rcode }) => rcode === RCODE.SERVFAIL),
      'all are told',
    );
    assert.ok(upstream.asked.length <= 4, `${upstream.asked.length} queries`);
  });
});
