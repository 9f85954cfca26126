// probe-output.test.ts -- what may be in the text of a result

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { boundOutput, OUTPUT_LIMIT_BYTES } from '../../src/health/probe-output.ts';

describe('boundOutput', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['short text stays', 'fine', 'fine'],
    ['tab and line feed stay', 'a\tb\nc', 'a\tb\nc'],
    ['CRLF becomes a line feed', 'a\r\nb', 'a\nb'],
    ['terminal controls go', 'a\u001b[31m\u0007\r\u009bb', 'a\ufffd[31m\ufffd\ufffd\ufffdb'],
    ['ASCII is cut at the limit', 'x'.repeat(5000), 'x'.repeat(OUTPUT_LIMIT_BYTES)],
    ['no character is cut in two', `x${'\u00e4'.repeat(4000)}`, `x${'\u00e4'.repeat(2047)}`],
    ['nor a surrogate pair', '\u{1f600}'.repeat(3000), '\u{1f600}'.repeat(1024)],
  ];
  for (const [title, text, expected] of cases) it(title, () => assert.equal(boundOutput(text), expected));

  it('is within the limit for any text, however often applied', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 6000, size: 'max' }), (text) => {
        const bounded = boundOutput(text);
        assert.ok(Buffer.byteLength(bounded) <= OUTPUT_LIMIT_BYTES, 'within the limit');
        assert.equal(boundOutput(bounded), bounded);
      }),
      { numRuns: 50 },
    );
  });
});
