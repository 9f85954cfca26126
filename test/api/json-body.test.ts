// json-body.test.ts -- what is taken as a JSON body and what is not

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseJsonBody } from '../../src/api/json-body.ts';

const parse = (text: string) => parseJsonBody(Buffer.from(text));

describe('parseJsonBody', () => {
  const refused: readonly (readonly [name: string, text: string, message: RegExp])[] = [
    ['cut off', '{"a":', /not well-formed/],
    ['a trailing comma', '{"a":1,}', /not well-formed/],
    ['two values', '{} {}', /not well-formed/],
    ['__proto__ twice in disguise', String.raw`{"__proto__":1,"\u005f_proto__":2}`, /"__proto__" twice/],
    ['a key twice', '{"a":1,"b":{"a":1},"a":2}', /"a" twice/],
    ['a key twice in disguise', String.raw`{"a":1,"\u0061":2}`, /"a" twice/],
    ['a deep array', '['.repeat(33) + ']'.repeat(33), /deeper than 32/],
    ['a very deep array', '['.repeat(100_000), /not well-formed/],
  ];
  for (const [name, text, message] of refused) {
    it(`refuses ${name}`, () => assert.throws(() => parse(text), { code: 'invalid_json', message }));
  }

  it('refuses what is not UTF-8', () => {
    assert.throws(() => parseJsonBody(Uint8Array.from([0x22, 0xff, 0x22])), { code: 'invalid_json' });
  });

  it('takes an empty body as none', () => assert.equal(parse(''), undefined));

  it('takes the same keys in different objects, and any text in values', () => {
    const text = String.raw`{"a":{"b":1},"c":[{"b":1},{"b":"__proto__"},"a","{\"","\\"],"d":"a"}`;
    assert.deepEqual(parse(text), JSON.parse(text));
  });

  it('takes keys that are names of JavaScript, as keys like others', () => {
    const value = parse('{"a":[{"__proto__":{"x":1}}],"constructor":{"prototype":{}}}') as { a: object[] };
    assert.deepEqual(Object.keys(value.a[0]!), ['__proto__']);
    assert.equal((value.a[0] as { x?: number }).x, undefined);
    assert.equal(Object.getPrototypeOf(value.a[0]), Object.prototype);
  });

  it('agrees with JSON.parse on everything else', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        assert.deepEqual(parse(text), JSON.parse(text));
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});
