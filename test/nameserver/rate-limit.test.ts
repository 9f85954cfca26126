// rate-limit.test.ts -- what one network gets, and what its neighbours do

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseNetwork } from '../../src/base/ip.ts';
import { parseName } from '../../src/dns/name.ts';
import { AddressClient } from '../../src/nameserver/client.ts';
import {
  CUT,
  createRateLimitMemory,
  DROP,
  RateLimiter,
  type RateLimitSettings,
  SEND,
} from '../../src/nameserver/rate-limit.ts';

const SETTINGS: RateLimitSettings = {
  responsesPerSecond: 5,
  slip: 2,
  ipv4PrefixBits: 24,
  ipv6PrefixBits: 56,
  exempt: [],
};
const QUERY_OCTETS = 40;

describe('rate limits', () => {
  it('let so many equal replies to a network through in a second, then one in slip is cut and the rest dropped', () => {
    const limiter = limiterOf({});
    const seen = times(11, () => judge(limiter, '192.0.2.7', 'a.example.'));
    assert.deepEqual(seen, [SEND, SEND, SEND, SEND, SEND, DROP, CUT, DROP, CUT, DROP, CUT]);
  });
  it('begin anew in the next second', () => {
    const limiter = limiterOf({ responsesPerSecond: 1, slip: 1 });
    const seen = [10, 10, 11, 11, 12].map((now) => judge(limiter, '192.0.2.7', 'a.example.', { now }));
    assert.deepEqual(seen, [SEND, CUT, SEND, CUT, SEND]);
  });

  const SLIPS: [slip: number, seen: number[]][] = [
    [0, [SEND, DROP, DROP, DROP]],
    [1, [SEND, CUT, CUT, CUT]],
    [3, [SEND, DROP, DROP, CUT]],
  ];
  for (const [slip, expected] of SLIPS) {
    it(`slip ${slip}`, () => {
      const limiter = limiterOf({ responsesPerSecond: 1, slip });
      assert.deepEqual(
        times(4, () => judge(limiter, '192.0.2.7', 'a.example.')),
        expected,
      );
    });
  }

  const PAIRS: [what: string, first: Asked, second: Asked, shared: boolean][] = [
    ['neighbours in one /24', ['192.0.2.7', 'a.example.'], ['192.0.2.200', 'a.example.'], true],
    ['the next /24', ['192.0.2.7', 'a.example.'], ['192.0.3.7', 'a.example.'], false],
    ['one /56', ['2001:db8:0:100::1', 'a.example.'], ['2001:db8:0:1ff::9', 'a.example.'], true],
    ['the next /56', ['2001:db8:0:100::1', 'a.example.'], ['2001:db8:0:200::1', 'a.example.'], false],
    ['letter case', ['192.0.2.7', 'a.example.'], ['192.0.2.7', 'A.eXample.'], true],
    ['another name', ['192.0.2.7', 'a.example.'], ['192.0.2.7', 'b.example.'], false],
    ['labels cut otherwise', ['192.0.2.7', 'ab.c.'], ['192.0.2.7', 'a.bc.'], false],
    [
      'other names that do not exist',
      ['192.0.2.7', 'x1.example.', { rcode: 3 }],
      ['192.0.2.7', 'x2.example.', { rcode: 3 }],
      true,
    ],
    [
      'other names that are refused',
      ['192.0.2.7', 'x1.test.', { rcode: 5 }],
      ['192.0.2.7', 'x2.test.', { rcode: 5 }],
      true,
    ],
    [
      'a name that exists and one that does not',
      ['192.0.2.7', 'a.example.'],
      ['192.0.2.7', 'a.example.', { rcode: 3 }],
      false,
    ],
    [
      'other names without records',
      ['192.0.2.7', 'x1.example.', { answers: 0 }],
      ['192.0.2.7', 'x2.example.', { answers: 0 }],
      true,
    ],
    [
      'other names of wildcards',
      ['192.0.2.7', 'x1.example.', { isMadeUp: true }],
      ['192.0.2.7', 'x2.example.', { isMadeUp: true }],
      true,
    ],
    ['IPv4 and IPv6', ['0.0.0.0', 'a.example.'], ['::', 'a.example.'], false],
  ];
  for (const [what, first, second, shared] of PAIRS) {
    it(`${what}: ${shared ? 'one count' : 'counts of their own'}`, () => {
      const limiter = limiterOf({ responsesPerSecond: 1, slip: 0 });
      const ask = ([address, name, reply]: Asked) => judge(limiter, address, name, reply);
      assert.equal(ask(first), SEND);
      assert.equal(ask(second), shared ? DROP : SEND);
    });
  }

  it('leave exempt networks alone', () => {
    const limiter = limiterOf({ responsesPerSecond: 1, exempt: parseNetwork('private')! });
    assert.deepEqual(
      times(50, () => judge(limiter, '10.1.2.3', 'a.example.')),
      new Array(50).fill(SEND),
    );
  });
  it('are the same for all threads', () => {
    const memory = createRateLimitMemory();
    const [first, second] = [limiterOf({ slip: 0 }, memory), limiterOf({ slip: 0 }, memory)];
    const seen = times(6, (i) => judge(i % 2 === 0 ? first : second, '192.0.2.7', 'a.example.'));
    assert.deepEqual(seen, [SEND, SEND, SEND, SEND, SEND, DROP]);
  });

  it('a network gets at most some ten times the octets it sends, however many names it asks for', () => {
    const limiter = limiterOf({ responsesPerSecond: 200 });
    let octetsIn = 0;
    let octetsOut = 0;
    for (let i = 0; i < 200_000; i++) {
      octetsIn += QUERY_OCTETS;
      const verdict = judge(limiter, '192.0.2.7', `n${i % 5000}.example.`, {
        now: Math.floor(i / 20_000),
        length: 1232,
      });
      octetsOut += verdict === SEND ? 1232 : verdict === CUT ? QUERY_OCTETS : 0;
    }
    assert.ok(octetsOut / octetsIn <= 8.1, `${octetsOut / octetsIn} octets out for each octet in`);
  });
  it('a client with large answers, asking now and then, is answered whole', () => {
    const limiter = limiterOf({});
    for (let i = 0; i < 500; i++) {
      assert.equal(judge(limiter, '192.0.2.7', `n${i}.example.`, { now: 100 + Math.floor(i / 6), length: 1232 }), SEND);
    }
  });
  it('a flood from everywhere costs the honest next to nothing', () => {
    const limiter = limiterOf({ responsesPerSecond: 200 });
    let lost = 0;
    for (let i = 0; i < 200_000; i++) {
      judge(limiter, `${i & 0x7f}.${(i >> 7) & 0xff}.${(i >> 15) & 0xff}.9`, 'a.example.', { now: 5 });
      if (i % 1000 === 0 && judge(limiter, '192.0.2.7', 'a.example.', { now: 5 }) !== SEND) lost++;
    }
    assert.equal(lost, 0);
  });
});

type Asked = [address: string, name: string, reply?: Reply];

function limiterOf(settings: Partial<RateLimitSettings>, memory = createRateLimitMemory()): RateLimiter {
  return new RateLimiter({ ...SETTINGS, ...settings }, memory, 0x5eed);
}

/** What differs from an answer of one record. */
interface Reply {
  readonly rcode?: number;
  readonly answers?: number;
  readonly isMadeUp?: boolean;
  readonly now?: number;
  readonly length?: number;
}

function judge(
  limiter: RateLimiter,
  address: string,
  name: string,
  { rcode = 0, answers = 1, isMadeUp = false, now = 10, length = 60 }: Reply = {},
): number {
  const reply = new Uint8Array(length);
  reply[3] = rcode;
  reply[5] = 1;
  reply[7] = rcode === 0 ? answers : 0;
  reply.set(parseName(name), 12);
  return limiter.judge(new AddressClient(address), QUERY_OCTETS, reply, length, isMadeUp, now);
}

function times(count: number, act: (i: number) => number): number[] {
  return Array.from({ length: count }, (_, i) => act(i));
}
