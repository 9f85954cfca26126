// forwarder.test.ts -- forwarding against upstreams that lie, loop, stall and fail

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EDNS_OPTION, RCODE } from '../../src/dns/codes.ts';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, type Message } from '../../src/dns/message.ts';
import { formatName } from '../../src/dns/name.ts';
import { formatRecord } from '../../src/dns/presentation.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { settingsOf, TestForwarder } from '../support/forwarding.ts';
import { freePort } from '../support/free-port.ts';
import { extendedError, flagWords } from '../support/name-server.ts';
import { type Asked, replyTo, ScriptedUpstream } from '../support/scripted-upstream.ts';
import { bytes, octets } from '../support/wire.ts';

const A = 'www.example.com. 300 IN A 192.0.2.1';
const answering = (asked: Asked): void => asked.send(replyTo(asked, A));
const texts = (message: Message): string[] => message.answers.map(formatRecord);
const QUICK = { timeoutMs: 600 };

/** Every letter of the question in the other case: right but for 0x20. */
function otherCase(reply: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(reply);
  for (let at = 12; changed[at] !== 0; at += changed[at]! + 1) {
    for (let i = at + 1; i <= at + changed[at]!; i++) if ((changed[i]! | 0x20) >= 0x61) changed[i]! ^= 0x20;
  }
  return changed;
}

function withId(reply: Uint8Array, by: number): Uint8Array {
  const changed = Buffer.from(reply);
  changed.writeUInt16BE((changed.readUInt16BE(0) + by) & 0xffff);
  return changed;
}

describe('a forged reply', () => {
  it('with one of 64 wrong ids is passed over, and the question asked by TCP, where nobody can guess', async (t) => {
    const upstream = await ScriptedUpstream.start(t, (asked) => {
      if (asked.transport === 'tcp') answering(asked);
      else for (let i = 1; i <= 64; i++) asked.send(withId(replyTo(asked, 'www.example.com. 300 IN A 6.6.6.6'), i));
    });
    const server = new TestForwarder(t, { to: [upstream.address] });
    assert.deepEqual(texts(await server.ask('www.example.com. A')), [A]);
    assert.deepEqual(
      upstream.asked.map(({ transport }) => transport),
      ['udp', 'tcp'],
    );
    assert.ok(server.forwarder.wrongReplies > 8, `${server.forwarder.wrongReplies} counted`);
  });

  const forged = 'www.example.com. 300 IN A 6.6.6.6';
  const cases: readonly [string, (asked: Asked) => void][] = [
    ['with a wrong id', (asked) => asked.send(withId(replyTo(asked, forged), 1))],
    ['from a wrong port', (asked) => asked.sendFromElsewhere(replyTo(asked, forged))],
    [
      'to another question',
      (asked) => {
        const reply = replyTo(asked, forged);
        reply[13]! ^= 1;
        asked.send(reply);
      },
    ],
    ['of another type', (asked) => asked.send(withType(replyTo(asked, forged), asked, 28))],
    ['that is no reply', (asked) => asked.send(replyTo(asked, forged).with(2, 1))],
    ['without a question', (asked) => asked.send(replyTo(asked, forged, { questions: [] }))],
    ['of one octet', (asked) => asked.send(Uint8Array.of(1))],
    ['of none', (asked) => asked.send(new Uint8Array(0))],
  ];
  for (const [name, forge] of cases) {
    it(`${name} is passed over: the real one behind it counts`, async (t) => {
      const upstream = await ScriptedUpstream.start(t, (asked) => {
        forge(asked);
        setTimeout(() => answering(asked), 30);
      });
      const server = new TestForwarder(t, { to: [upstream.address] });
      assert.deepEqual(texts(await server.ask('www.example.com. A')), [A]);
      assert.deepEqual(
        upstream.asked.map(({ transport }) => transport),
        ['udp'],
      );
    });
  }

  it('with letters of the wrong case makes the question go by TCP', async (t) => {
    const upstream = await ScriptedUpstream.start(t, (asked) => {
      if (asked.transport === 'tcp') answering(asked);
      else asked.send(otherCase(replyTo(asked, forged)));
    });
    const server = new TestForwarder(t, { to: [upstream.address] });
    for (const _ of [1, 2]) assert.deepEqual(texts(await server.ask('www.example.com. A')), [A]);
    assert.deepEqual(
      upstream.asked.map(({ transport }) => transport),
      ['udp', 'tcp'],
    );
  });
});

function withType(reply: Uint8Array, { octets: query }: Asked, type: number): Uint8Array {
  const changed = Buffer.from(reply);
  let at = 12;
  while (query[at] !== 0) at += query[at]! + 1;
  changed.writeUInt16BE(type, at + 1);
  return changed;
}

describe('what an attacker has to guess', () => {
  it('ids, source ports and the case of letters differ with every query', async (t) => {
    const upstream = await ScriptedUpstream.start(t, answering);
    const server = new TestForwarder(t, { to: [upstream.address], cacheSize: 0 });
    for (let i = 0; i < 40; i++) await server.ask('www.example.com. A');
    const distinct = (of: (asked: Asked) => unknown): number => new Set(upstream.asked.map(of)).size;
    assert.equal(upstream.asked.length, 40);
    assert.ok(distinct(({ message }) => message.id) >= 38, 'ids');
    assert.ok(distinct(({ port }) => port) >= 38, 'ports');
    assert.ok(distinct(({ message }) => formatName(message.questions[0]!.name)) >= 36, 'letters');
    const ports = upstream.asked.map(({ port }) => port);
    assert.ok(
      ports.some((port, i) => i > 0 && Math.abs(port - ports[i - 1]!) > 64),
      'ports are not in a row',
    );
  });

  it('an upstream that was seen by TCP to answer in lower case is believed by UDP', async (t) => {
    const lower = (asked: Asked): void =>
      asked.send(
        Buffer.from(
          replyTo(asked, A).map((octet, at) =>
            at > 12 && at < 28 && octet > 0x40 && octet < 0x5b ? octet | 0x20 : octet,
          ),
        ),
      );
    const upstream = await ScriptedUpstream.start(t, lower);
    const server = new TestForwarder(t, { to: [upstream.address], cacheSize: 0 });
    for (let i = 0; i < 4; i++) assert.deepEqual(texts(await server.ask('www.example.com. A')).length, 1);
    const kinds = upstream.asked.map(({ transport }) => transport);
    assert.equal(kinds.filter((kind) => kind === 'tcp').length, 1, kinds.join(' '));
  });
});

describe('equal questions', () => {
  it('are asked once, and answered each with its own id and letters', async (t) => {
    const waiting: Asked[] = [];
    const upstream = await ScriptedUpstream.start(t, (asked) => waiting.push(asked));
    const server = new TestForwarder(t, { to: [upstream.address], timeoutMs: 20_000 });
    const names = ['www.example.com. A', 'WWW.example.com. A', 'www.EXAMPLE.com. A'];
    const replies = names.map((name, i) => server.ask(name, { id: 100 + i }));
    // Another question, with DNSSEC OK: not the same.
    const signed = server.ask('www.example.com. A', { edns: { dnssecOk: true } });
    const type = server.ask('www.example.com. AAAA');
    while (waiting.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(server.forwarder.questions, 3);
    assert.equal(server.forwarder.waiting, 5);
    for (const each of waiting) answering(each);
    for (const [i, reply] of (await Promise.all(replies)).entries()) {
      assert.equal(reply.id, 100 + i);
      assert.equal(`${formatName(reply.questions[0]!.name)} A`, names[i]);
      assert.equal(reply.answers.length, 1);
    }
    await Promise.all([signed, type]);
    assert.equal(upstream.asked.length, 3);
    assert.equal(server.forwarder.waiting, 0);
  });

  it('of too many clients fail fast, and so do too many questions of one network', async (t) => {
    const upstream = await ScriptedUpstream.start(t, () => {});
    const server = new TestForwarder(t, { to: [upstream.address], ...QUICK, timeoutMs: 3000 });
    const same = Array.from({ length: 300 }, () => server.ask('www.example.com. A'));
    const first = await Promise.race(same);
    assert.equal(first.rcode, RCODE.SERVFAIL);
    assert.deepEqual(extendedError(first), { code: 23, text: 'too many questions are under way' });
    const many = Array.from({ length: 400 }, (_, i) => server.ask(`n${i}.example.com. A`));
    assert.equal((await Promise.race(many)).rcode, RCODE.SERVFAIL);
    assert.ok(server.forwarder.waiting <= 512, `${server.forwarder.waiting} wait`);
    assert.ok(upstream.asked.length < 512, `${upstream.asked.length} asked`);
    // Of another network, one has its place.
    const other = server.ask('other.example.com. A', { client: '10.1.1.1' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(server.forwarder.waiting, 513);
    const all = await Promise.all([...same, ...many, other]);
    assert.ok(
      all.every(({ rcode }) => rcode === RCODE.SERVFAIL),
      'all are answered in the end',
    );
    assert.equal(server.forwarder.waiting, 0);
  });
});

describe('an upstream that cannot answer', () => {
  const garbled: readonly [string, (asked: Asked) => Uint8Array][] = [
    ['garbage', () => new Uint8Array(40).fill(0x5a)],
    ['what is no reply', (asked) => replyTo(asked, A).with(2, 1)],
    ['a reply without a question', (asked) => replyTo(asked, A, { questions: [] })],
    ['a reply to another opcode', (asked) => replyTo(asked, A).with(2, 0xa1)],
  ];
  for (const [name, say] of garbled) {
    it(`and says ${name}: waited for a real one, then a network error`, async (t) => {
      const upstream = await ScriptedUpstream.start(t, (asked) => asked.send(say(asked)));
      const server = new TestForwarder(t, { to: [upstream.address], ...QUICK });
      const startedMs = performance.now();
      const reply = await server.ask('www.example.com. A');
      assert.ok(performance.now() - startedMs >= 590, 'it had its time');
      assert.equal(reply.rcode, RCODE.SERVFAIL);
      assert.deepEqual(extendedError(reply), { code: 23, text: 'no upstream could answer (malformed reply)' });
    });
  }

  it('and over TCP says what is no reply: a network error too', async (t) => {
    const upstream = await ScriptedUpstream.start(t, (asked) => {
      const reply = replyTo(asked, A);
      asked.send(asked.transport === 'tcp' ? reply.with(2, 1) : reply.with(2, 0x82));
    });
    const server = new TestForwarder(t, { to: [upstream.address], ...QUICK });
    assert.equal(extendedError(await server.ask('www.example.com. A'))?.code, 23);
  });

  it('and says nothing: SERVFAIL with an extended error in time, three queries, and none for a while', async (t) => {
    const upstream = await ScriptedUpstream.start(t, () => {});
    const server = new TestForwarder(t, { to: [upstream.address], ...QUICK });
    const startedMs = performance.now();
    const reply = await server.ask('www.example.com. A');
    assert.ok(performance.now() - startedMs >= 590, 'it had its time');
    assert.equal(reply.rcode, RCODE.SERVFAIL);
    assert.equal(extendedError(reply)?.code, 22);
    assert.equal((await server.ask('www.example.com. A')).rcode, RCODE.SERVFAIL);
    assert.equal(upstream.asked.length, 3);
    assert.deepEqual(
      [...server.forwarder.answers],
      [
        ['failed', 1],
        ['remembered', 1],
      ],
    );
    assert.deepEqual(
      server.counted.map(([, , rcode]) => rcode),
      [2, 2],
    );
  });

  it('and is not there: SERVFAIL at once', async (t) => {
    const server = new TestForwarder(t, { to: [`127.0.0.1:${await freePort()}`], timeoutMs: 30_000 });
    const reply = await server.ask('www.example.com. A');
    assert.deepEqual([reply.rcode, extendedError(reply)?.code], [RCODE.SERVFAIL, 23]);
    assert.match(extendedError(reply)!.text, /ECONNREFUSED/);
  });

  it('without EDNS, the client is not told why', async (t) => {
    const server = new TestForwarder(t, { to: [`127.0.0.1:${await freePort()}`] });
    const reply = await server.ask('www.example.com. A', { edns: false });
    assert.deepEqual([reply.rcode, reply.edns], [RCODE.SERVFAIL, undefined]);
  });

  for (const [name, rcode] of [
    ['REFUSED', RCODE.REFUSED],
    ['NOTIMP', RCODE.NOTIMP],
    ['FORMERR', RCODE.FORMERR],
    ['BADCOOKIE', RCODE.BADCOOKIE],
  ] as const) {
    it(`and says ${name}: the next one is asked`, async (t) => {
      const first = await ScriptedUpstream.start(t, (asked) => asked.send(replyTo(asked, '', { rcode })));
      const second = await ScriptedUpstream.start(t, answering);
      const server = new TestForwarder(t, { to: [first.address, second.address] });
      assert.deepEqual(texts(await server.ask('www.example.com. A')), [A]);
      const alone = new TestForwarder(t, { to: [first.address] });
      const reply = await alone.ask('www.example.com. A');
      assert.deepEqual([reply.rcode, extendedError(reply)?.code], [RCODE.SERVFAIL, 23]);
    });
  }

  it('and says SERVFAIL with a reason: the reason goes along', async (t) => {
    const bogus = [{ code: EDNS_OPTION.EXTENDED_ERROR, data: octets('0006', Buffer.from('bogus')) }];
    const upstream = await ScriptedUpstream.start(t, (asked) => {
      const edns = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: bogus };
      asked.send(replyTo(asked, '', { rcode: RCODE.SERVFAIL, edns }));
    });
    const server = new TestForwarder(t, { to: [upstream.address] });
    const reply = await server.ask('www.example.com. A');
    assert.deepEqual([reply.rcode, extendedError(reply)], [RCODE.SERVFAIL, { code: 6, text: 'bogus' }]);
    assert.equal(upstream.asked.length, 1);
  });

  const garbage: readonly [string, (asked: Asked) => Uint8Array][] = [
    ['a record that runs past the end', (asked) => replyTo(asked, A).subarray(0, -20)],
    ['names in a loop', (asked) => withLoop(replyTo(asked, A))],
    ['more records announced than there are', (asked) => replyTo(asked, A).with(7, 200)],
  ];
  for (const [name, make] of garbage) {
    it(`and sends ${name}: SERVFAIL`, async (t) => {
      const upstream = await ScriptedUpstream.start(t, (asked) => asked.send(make(asked)));
      const server = new TestForwarder(t, { to: [upstream.address] });
      const reply = await server.ask('www.example.com. A');
      assert.deepEqual([reply.rcode, extendedError(reply)?.code], [RCODE.SERVFAIL, 23]);
    });
  }

  it('in time: a slow one is heard even after others were asked beside it', async (t) => {
    const slow = await ScriptedUpstream.start(t, (asked) => setTimeout(() => answering(asked), 500));
    const server = new TestForwarder(t, { to: [slow.address], timeoutMs: 900 });
    assert.deepEqual(texts(await server.ask('www.example.com. A')), [A]);
    assert.ok(slow.asked.length > 1, 'asked again in the meantime');
  });

  it('often enough is asked no more while another answers, and again when it is back', async (t) => {
    const clock = new FakeClock();
    const dead = await ScriptedUpstream.start(t, () => {});
    const live = await ScriptedUpstream.start(t, answering);
    const server = new TestForwarder(t, { to: [dead.address, live.address] }, clock);
    const [first] = server.forwarder.upstreams;
    for (let i = 0; i < 40 && first!.isUp; i++) {
      const reply = server.ask(`n${i}.example.com. A`);
      while (server.forwarder.questions > 0 || server.forwarder.waiting > 0) {
        await clock.advance(200);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await reply;
    }
    assert.equal(first!.isUp, false);
    const before = dead.asked.length;
    for (let i = 0; i < 10; i++) await server.ask(`m${i}.example.com. A`);
    assert.equal(dead.asked.length, before);
    dead.script = answering;
    await clock.advance(1100);
    while (!first!.isUp) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(dead.names.at(-1), '.');
  });
});

function withLoop(reply: Uint8Array): Uint8Array {
  // The owner of the first record points at itself.
  const at = 12 + 17 + 4;
  return octets(reply.subarray(0, at), bytes('c021'), reply.subarray(at + 2));
}

describe('a loop', () => {
  it('to ourselves ends after a few packets, in SERVFAIL', async (t) => {
    const server: { now?: TestForwarder } = {};
    const upstream = await ScriptedUpstream.start(t, (asked) => {
      // What a server does whose upstream is itself.
      void new Promise<Uint8Array>((resolve) => {
        server.now!.forwarder.forward(
          asked.octets,
          'udp',
          { octets: () => new Uint8Array(16), knownBits: 128 },
          resolve,
        );
      }).then((reply) => asked.send(reply));
    });
    server.now = new TestForwarder(t, { to: [upstream.address], timeoutMs: 10_000 });
    const startedMs = performance.now();
    const reply = await server.now.ask('www.example.com. A');
    assert.equal(reply.rcode, RCODE.SERVFAIL);
    assert.match(extendedError(reply)!.text, /loop/);
    assert.ok(upstream.asked.length < 10, `${upstream.asked.length} packets`);
    assert.ok(performance.now() - startedMs < 5000, 'at once');
  });

  it('by way of another forwarder that changes ids ends too', async (t) => {
    const server: { now?: TestForwarder } = {};
    const upstream = await ScriptedUpstream.start(t, (asked) => {
      const query = withId(asked.octets, 77);
      server.now!.forwarder.forward(query, 'udp', { octets: () => new Uint8Array(16), knownBits: 128 }, () => {});
    });
    server.now = new TestForwarder(t, { to: [upstream.address], ...QUICK });
    assert.equal((await server.now.ask('www.example.com. A')).rcode, RCODE.SERVFAIL);
    assert.ok(upstream.asked.length < 10, `${upstream.asked.length} packets`);
  });
});

describe('what is passed on', () => {
  it('unknown types, DNSSEC bits and all sections, as they came', async (t) => {
    const unknown = 'www.example.com. 300 IN TYPE65280 \\# 3 010203';
    const parts = {
      flags: FLAG.AD | FLAG.AA,
      authorities: 'example.com. 300 IN NS ns.example.com.',
      additionals: 'ns.example.com. 300 IN A 192.0.2.53',
    };
    // OPT behind the other records, where servers put it.
    const upstream = await ScriptedUpstream.start(t, (asked) => {
      const bare = replyTo(asked, unknown, { ...parts, edns: undefined });
      const opt = octets('00 0029 04d0 00000000', '000c', '000a 0008 1112131415161718');
      const reply = octets(bare, opt);
      reply[11]!++;
      asked.send(reply);
    });
    const server = new TestForwarder(t, { to: [upstream.address] });
    const reply = await server.ask('www.example.com. TYPE65280', { edns: { dnssecOk: true }, flags: FLAG.CD });
    assert.deepEqual(texts(reply), [unknown]);
    assert.deepEqual(reply.authorities.map(formatRecord), ['example.com. 300 IN NS ns.example.com.']);
    assert.deepEqual(reply.additionals.map(formatRecord), ['ns.example.com. 300 IN A 192.0.2.53']);
    assert.deepEqual(flagWords(reply), ['qr', 'rd', 'ra', 'ad', 'cd']);
    assert.equal(reply.edns?.dnssecOk, true);
    assert.deepEqual(reply.edns?.options, [], 'the cookie of the upstream is not for the client');
    const { message } = upstream.asked[0]!;
    assert.deepEqual([message.edns?.dnssecOk, message.edns?.udpSize, message.edns?.options], [true, 1232, []]);
    assert.deepEqual(flagWords(message), ['rd', 'ad', 'cd']);
    // Whoever does not say that it knows AD is not told.
    assert.deepEqual(flagWords(await server.ask('www.example.com. TYPE65280')), ['qr', 'rd', 'ra']);
  });

  it('no options of the client go upstream', async (t) => {
    const upstream = await ScriptedUpstream.start(t, answering);
    const server = new TestForwarder(t, { to: [upstream.address] });
    const options = [
      { code: EDNS_OPTION.CLIENT_SUBNET, data: bytes('0001 1800 0a0000') },
      { code: EDNS_OPTION.COOKIE, data: bytes('0102030405060708') },
      { code: 65001, data: bytes('00') },
    ];
    await server.ask('www.example.com. A', { edns: { options } });
    assert.deepEqual(upstream.asked[0]!.message.edns?.options, []);
  });

  it('by TCP what is truncated, and in full to clients that have room', async (t) => {
    const many = Array.from({ length: 60 }, (_, i) => `www.example.com. 300 IN A 192.0.2.${i}`).join('\n');
    const upstream = await ScriptedUpstream.start(t, (asked) => {
      asked.send(asked.transport === 'udp' ? replyTo(asked, '', { flags: FLAG.TC }) : replyTo(asked, many));
    });
    const server = new TestForwarder(t, { to: [upstream.address] });
    const sizes: [object, number, boolean][] = [
      [{ transport: 'tcp' }, 60, false],
      [{}, 60, false],
      [{ edns: { udpSize: 700 } }, 0, true],
      [{ edns: false }, 0, true],
      [{ edns: { udpSize: 65_535 } }, 60, false],
    ];
    for (const [options, count, isTruncated] of sizes) {
      const raw = await server.askRaw('www.example.com. A', options);
      const reply = decodeMessage(raw);
      assert.deepEqual(
        [reply.answers.length, (reply.flags & FLAG.TC) !== 0],
        [count, isTruncated],
        JSON.stringify(options),
      );
      if (!('transport' in options)) assert.ok(raw.length <= 1232, `${raw.length} octets`);
    }
    assert.deepEqual(
      upstream.asked.map(({ transport }) => transport),
      ['udp', 'tcp'],
    );
  });

  it('64 KiB from an upstream by TCP', async (t) => {
    const text = `www.example.com. 300 IN TXT ${Array.from({ length: 240 }, () => `"${'x'.repeat(255)}"`).join(' ')}`;
    const upstream = await ScriptedUpstream.start(t, (asked) => {
      asked.send(asked.transport === 'udp' ? replyTo(asked, '', { flags: FLAG.TC }) : replyTo(asked, text));
    });
    const server = new TestForwarder(t, { to: [upstream.address] });
    const raw = await server.askRaw('www.example.com. TXT', { transport: 'tcp' });
    assert.ok(raw.length > 61_000, `${raw.length} octets`);
    assert.equal(decodeMessage(await server.askRaw('www.example.com. TXT')).flags & FLAG.TC, FLAG.TC);
  });

  it('additional records give way without truncation', async (t) => {
    const additionals = Array.from({ length: 60 }, (_, i) => `n${i}.example.com. 300 IN A 192.0.2.${i}`).join('\n');
    const upstream = await ScriptedUpstream.start(t, (asked) =>
      asked.send(replyTo(asked, A, { additionals, edns: undefined })),
    );
    const server = new TestForwarder(t, { to: [upstream.address] });
    const reply = await server.ask('www.example.com. A', { edns: false });
    assert.deepEqual([texts(reply), reply.additionals.length, reply.flags & FLAG.TC], [[A], 0, 0]);
  });

  it('nothing that an upstream says of our own names', async (t) => {
    const chain = 'www.example.com. 300 IN CNAME cart.service.local.\ncart.service.local. 300 IN A 6.6.6.6';
    const upstream = await ScriptedUpstream.start(t, (asked) => asked.send(replyTo(asked, chain, { additionals: A })));
    const server = new TestForwarder(t, { to: [upstream.address] });
    const reply = await server.ask('www.example.com. A');
    assert.deepEqual(texts(reply), ['www.example.com. 300 IN CNAME cart.service.local.']);
    assert.deepEqual(reply.additionals, []);
    assert.equal(server.forwarder.cache.size, 0);
  });

  it('no private addresses, when they are to be stripped', async (t) => {
    const upstream = await ScriptedUpstream.start(t, (asked) => {
      const isInside = formatName(asked.message.questions[0]!.name).toLowerCase().startsWith('evil');
      asked.send(replyTo(asked, isInside ? 'evil.example.com. 1 IN A 192.168.0.1' : A));
    });
    const server = new TestForwarder(t, { to: [upstream.address], stripPrivate: true });
    const reply = await server.ask('evil.example.com. A');
    assert.deepEqual([reply.rcode, reply.answers, extendedError(reply)?.code], [0, [], 17]);
    assert.deepEqual(texts(await server.ask('www.example.com. A')), [A]);
  });
});

describe('settings', () => {
  it('are exchanged while questions are under way, which finish as they began', async (t) => {
    const waiting: Asked[] = [];
    const before = await ScriptedUpstream.start(t, (asked) => waiting.push(asked));
    const after = await ScriptedUpstream.start(t, (asked) =>
      asked.send(replyTo(asked, 'www.example.com. 9 IN A 192.0.2.9')),
    );
    const server = new TestForwarder(t, { to: [before.address] });
    const reply = server.ask('www.example.com. A');
    while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    server.forwarder.set(settingsOf({ to: [after.address] }));
    assert.equal((await server.ask('other.example.com. A')).answers[0]?.ttlSeconds, 9);
    answering(waiting[0]!);
    assert.deepEqual(texts(await reply), [A]);
    assert.equal(before.asked.length, 1);
  });

  it('with no upstream left, and after the end, everything is SERVFAIL', async (t) => {
    const upstream = await ScriptedUpstream.start(t, () => {});
    const server = new TestForwarder(t, { to: [upstream.address], timeoutMs: 60_000 });
    const last = server.ask('www.example.com. A');
    await server.forwarder.close();
    assert.equal((await last).rcode, RCODE.SERVFAIL);
    assert.equal((await server.ask('www.example.com. A')).rcode, RCODE.SERVFAIL);
    const none = new TestForwarder(t, { to: [] });
    assert.equal((await none.ask('www.example.com. A')).rcode, RCODE.SERVFAIL);
  });
});
