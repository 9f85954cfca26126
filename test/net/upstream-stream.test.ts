// upstream-stream.test.ts -- forwarding by TLS: certificates, one connection for many questions, connections that end

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { EDNS_OPTION, RCODE } from '../../src/dns/codes.ts';
import { makeCertificate } from '../support/certificate.ts';
import { TestForwarder } from '../support/forwarding.ts';
import { extendedError } from '../support/name-server.ts';
import { type Asked, replyTo, ScriptedUpstream } from '../support/scripted-upstream.ts';

const certificate = makeCertificate();
after(() => certificate.remove());

const answering = (asked: Asked): void => asked.send(replyTo(asked, 'www.example.com. 300 IN A 192.0.2.1'));
const TRUSTED = { authorities: certificate.cert, cacheSize: 0 };

describe('an upstream by TLS', () => {
  for (const name of ['', '#localhost', '#cart.example']) {
    it(`is asked padded queries over one connection (tls://...${name})`, async (t) => {
      const upstream = await ScriptedUpstream.start(t, answering, certificate);
      const server = new TestForwarder(t, { to: [`tls://${upstream.address}${name}`], ...TRUSTED });
      assert.equal((await server.ask('www.example.com. A')).answers.length, 1);
      const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => server.ask(`n${i}.example.com. A`)));
      assert.ok(
        replies.every(({ rcode }) => rcode === 0),
        'all are answered',
      );
      assert.equal(upstream.accepted, 1);
      for (const { octets, message, transport } of upstream.asked) {
        assert.equal(transport, 'tcp');
        assert.equal(octets.length % 128, 0, `${octets.length} octets`);
        assert.deepEqual(
          message.edns?.options.map(({ code }) => code),
          [EDNS_OPTION.PADDING],
        );
      }
    });
  }

  const distrusted: readonly [string, string, object][] = [
    ['its certificate is for another name', '#other.example', TRUSTED],
    ['nobody vouches for its certificate', '#localhost', { ...TRUSTED, authorities: undefined }],
  ];
  for (const [why, name, settings] of distrusted) {
    it(`is told nothing when ${why}`, async (t) => {
      const upstream = await ScriptedUpstream.start(t, answering, certificate);
      const server = new TestForwarder(t, { to: [`tls://${upstream.address}${name}`], ...settings });
      const reply = await server.ask('www.example.com. A');
      assert.deepEqual([reply.rcode, extendedError(reply)?.code], [RCODE.SERVFAIL, 23]);
      assert.deepEqual(upstream.asked, []);
    });
  }

  it('that hangs up between questions is asked over a new connection, and one that always does fails', async (t) => {
    const upstream = await ScriptedUpstream.start(t, answering, certificate);
    const server = new TestForwarder(t, { to: [`tls://${upstream.address}#localhost`], ...TRUSTED });
    await server.ask('www.example.com. A');
    let isFirst = true;
    upstream.script = (asked) => {
      if (!isFirst) answering(asked);
      else upstream.hangUp();
      isFirst = false;
    };
    assert.equal((await server.ask('www.example.com. A')).answers.length, 1);
    assert.equal(upstream.accepted, 2);
    upstream.script = () => upstream.hangUp();
    assert.equal((await server.ask('www.example.com. A')).rcode, RCODE.SERVFAIL);
    assert.ok(upstream.accepted <= 4, `${upstream.accepted} connections`);
  });

  it('whose connection has died is asked over a new one, whatever else waits there', async (t) => {
    const upstream = await ScriptedUpstream.start(t, answering, certificate);
    const server = new TestForwarder(t, { to: [`tls://${upstream.address}`], ...TRUSTED, timeoutMs: 1200 });
    await server.ask('first.example.com. A');
    upstream.script = (asked) => {
      if (upstream.accepted > 1) answering(asked);
    };
    const lost = server.ask('lost.example.com. A');
    await new Promise((resolve) => setTimeout(resolve, 600));
    const waiting = server.ask('waiting.example.com. A');
    assert.equal((await lost).rcode, RCODE.SERVFAIL);
    assert.equal((await waiting).answers.length, 1);
    assert.equal(upstream.accepted, 2);
  });

  it('answers in any order, and what was not asked is passed over', async (t) => {
    const waiting: Asked[] = [];
    const upstream = await ScriptedUpstream.start(t, (asked) => waiting.push(asked), certificate);
    const server = new TestForwarder(t, { to: [`tls://${upstream.address}`], ...TRUSTED, timeoutMs: 20_000 });
    const replies = ['a', 'b', 'c'].map((label) => server.ask(`${label}.example.com. A`));
    while (waiting.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    const [first] = waiting as [Asked, ...Asked[]];
    for (const each of waiting.reverse()) {
      each.send(Uint8Array.of(1));
      const wrong = Buffer.from(replyTo(each));
      wrong[13]! ^= 0x40;
      each.send(wrong);
      each.send(replyTo(each, '', { rcode: 3 }));
    }
    // Twice.
    first.send(replyTo(first));
    assert.deepEqual(
      (await Promise.all(replies)).map(({ rcode }) => rcode),
      [3, 3, 3],
    );
    assert.ok(server.forwarder.wrongReplies >= 6, `${server.forwarder.wrongReplies} counted`);
  });
});
