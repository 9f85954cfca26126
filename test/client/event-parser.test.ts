// event-parser.test.ts -- server-sent events, however their octets are cut up

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EventParser, type StreamEvent } from '../../src/client/event-parser.ts';

function parse(...chunks: readonly (string | Uint8Array)[]): StreamEvent[] {
  const parser = new EventParser();
  return chunks.flatMap((chunk) => parser.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk));
}

const event = (name: string | undefined, data: string | undefined, id: string | undefined) => ({
  event: name,
  data,
  id,
});

describe('a stream of events', () => {
  const cases: readonly (readonly [string, string, readonly StreamEvent[]])[] = [
    ['an event', 'event: update\nid: 1\ndata: x\n\n', [event('update', 'x', '1')]],
    ['CRLF', 'event: update\r\nid: 1\r\ndata: x\r\n\r\n', [event('update', 'x', '1')]],
    ['CR alone', 'event: update\rid: 1\rdata: x\r\r', [event('update', 'x', '1')]],
    ['data of several lines', 'data: a\ndata\ndata:  b\n\n', [event(undefined, 'a\n\n b', undefined)]],
    ['a comment that moves the id', ': alive\nid: 7\n\n', [event(undefined, undefined, '7')]],
    ['an id that stays', 'id: 7\n\ndata: a\n\n', [event(undefined, undefined, '7'), event(undefined, 'a', '7')]],
    ['no space behind the colon, colons in data', 'data:{"a":1}\n\n', [event(undefined, '{"a":1}', undefined)]],
    [
      'an id with NUL counts for nothing',
      'id: 1\n\nid: 2\0\n\n',
      [event(undefined, undefined, '1'), event(undefined, undefined, '1')],
    ],
    ['unknown fields', 'retry: 1000\nfoo: bar\n\n', [event(undefined, undefined, undefined)]],
    ['a byte order mark', '\ufeffdata: x\n\n', [event(undefined, 'x', undefined)]],
    ['an event that is cut off', 'data: a\n\nid: 9\ndata: b\n', [event(undefined, 'a', undefined)]],
    ['names of prototypes', 'event: __proto__\nconstructor: x\ndata: 1\n\n', [event('__proto__', '1', undefined)]],
  ];
  for (const [what, text, expected] of cases) {
    it(`reads ${what}`, () => {
      assert.deepEqual(parse(text), expected);
    });
  }

  it('reads the same however it is cut', () => {
    const text = 'retry: 1\r\n: c\r\nid: 1\r\n\r\nevent: é😀\rdata: ü\r\rdata: 1\ndata: 2\nid: x\n\n\n';
    const octets = Buffer.from(text);
    const whole = parse(octets);
    assert.equal(whole.filter(({ data }) => data !== undefined).length, 2);
    fc.assert(
      fc.property(fc.array(fc.nat(octets.length), { maxLength: 12 }), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), octets.length];
        const chunks = places.slice(1).map((to, i) => octets.subarray(places[i], to));
        assert.deepEqual(parse(...chunks), whole);
      }),
    );
  });

  it('takes no event that grows without end, in one line or in many', () => {
    for (const part of ['x'.repeat(64), 'data: 123456\n']) {
      const parser = new EventParser(1000);
      assert.throws(() => {
        for (let i = 0; i < 200; i++) parser.push(Buffer.from(part));
      }, RangeError);
    }
    const parser = new EventParser(1000);
    for (let i = 0; i < 200; i++) parser.push(Buffer.from('data: 123456\n\n'));
  });
});
