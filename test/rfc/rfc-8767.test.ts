// rfc-8767.test.ts -- stale answers from the forwarder's cache, while nobody answers (RFC 8767)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RCODE } from '../../src/dns/codes.ts';
import { startForwarding } from '../support/forwarding.ts';
import { extendedError, texts } from '../support/name-server.ts';
import { replyTo } from '../support/scripted-upstream.ts';

const NAME = 'www.example.com.';
const A = `${NAME} 300 IN A 192.0.2.1`;
const STALE = [`${NAME} 30 IN A 192.0.2.1`];
const SOA = 'example.com. 900 IN SOA ns.example.com. host.example.com. 1 2 3 4 60';
const DAY_MS = 86_400_000;

describe('RFC 8767', () => {
  it('a stale answer has a TTL of 30 s and says what it is, for a day at most (4, 5)', async (t) => {
    let isSilent = false;
    const { clock, server, patiently } = await startForwarding(t, (asked) =>
      isSilent ? undefined : replyTo(asked, A),
    );
    await server.ask(`${NAME} A`);
    isSilent = true;
    await clock.advance(301_000);
    const stale = await patiently(`${NAME} A`);
    assert.deepEqual(texts(stale.answers), STALE);
    assert.equal(extendedError(stale)?.code, 3);
    // Without waiting again.
    assert.deepEqual(texts((await server.ask(`${NAME} A`)).answers), STALE);
    await clock.advance(DAY_MS);
    const reply = await patiently(`${NAME} A`);
    assert.deepEqual([reply.rcode, reply.answers], [RCODE.SERVFAIL, []]);
  });

  it('a failure that is told leads to the stale answer too, and a success replaces it (4, 5)', async (t) => {
    let answer: string | undefined = A;
    const { clock, server } = await startForwarding(t, (asked) =>
      answer === undefined ? replyTo(asked, '', { rcode: RCODE.SERVFAIL }) : replyTo(asked, answer),
    );
    await server.ask(`${NAME} A`);
    answer = undefined;
    await clock.advance(301_000);
    assert.deepEqual(texts((await server.ask(`${NAME} A`)).answers), STALE);
    answer = `${NAME} 300 IN A 192.0.2.2`;
    await clock.advance(31_000);
    assert.deepEqual(texts((await server.ask(`${NAME} A`)).answers), [answer]);
  });

  for (const [what, rcode] of [
    ['NXDOMAIN', RCODE.NXDOMAIN],
    ['NODATA', RCODE.NOERROR],
  ] as const) {
    it(`${what} is no failure: it is told, not the stale answer (4)`, async (t) => {
      let isGone = false;
      const { clock, server } = await startForwarding(t, (asked) =>
        isGone ? replyTo(asked, '', { rcode, authorities: SOA }) : replyTo(asked, A),
      );
      await server.ask(`${NAME} A`);
      isGone = true;
      await clock.advance(301_000);
      const reply = await server.ask(`${NAME} A`);
      assert.deepEqual([reply.rcode, reply.answers, extendedError(reply)], [rcode, [], undefined]);
    });
  }

  it('while the data is fresh nothing is stale, whatever fails (4)', async (t) => {
    let isSilent = false;
    const { clock, server, upstream } = await startForwarding(t, (asked) => (isSilent ? undefined : replyTo(asked, A)));
    await server.ask(`${NAME} A`);
    isSilent = true;
    await clock.advance(299_000);
    const reply = await server.ask(`${NAME} A`);
    assert.deepEqual([reply.answers[0]!.ttlSeconds, extendedError(reply), upstream.asked.length], [1, undefined, 1]);
  });

  it('can be off (5)', async (t) => {
    let isSilent = false;
    const start = startForwarding(t, (asked) => (isSilent ? undefined : replyTo(asked, A)), { staleMs: 0 });
    const { clock, server, patiently } = await start;
    await server.ask(`${NAME} A`);
    isSilent = true;
    await clock.advance(301_000);
    assert.equal((await patiently(`${NAME} A`)).rcode, RCODE.SERVFAIL);
  });
});
