// duration.test.ts -- times with units

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDuration } from '../../src/base/duration.ts';

describe('reading', () => {
  const rows: readonly [text: string, milliseconds: number | undefined][] = [
    ['5s', 5000],
    ['500ms', 500],
    ['0s', 0],
    ['1.5h', 5_400_000],
    ['1m30s', 90_000],
    ['2d', 172_800_000],
    ['0.4ms', 0],
    ['100000d', 8_640_000_000_000],
    ['5', undefined],
    ['', undefined],
    ['s', undefined],
    ['-5s', undefined],
    ['+5s', undefined],
    ['5 s', undefined],
    [' 5s', undefined],
    ['5s\n', undefined],
    ['5S', undefined],
    ['5sec', undefined],
    ['1h30', undefined],
    ['.5s', undefined],
    ['5.s', undefined],
    ['1e3s', undefined],
    ['0x5s', undefined],
    ['5w', undefined],
    ['Infinitys', undefined],
    [`${'9'.repeat(30)}d`, undefined],
    [`${'1s'.repeat(17)}`, undefined],
  ];
  for (const [text, milliseconds] of rows) {
    it(JSON.stringify(text), () => assert.equal(parseDuration(text), milliseconds));
  }
});

describe('writing', () => {
  const rows: readonly [milliseconds: number, text: string][] = [
    [0, '0s'],
    [1, '1ms'],
    [5000, '5s'],
    [60_000, '60s'],
    [90_000, '90s'],
    [119_000, '119s'],
    [120_000, '2m'],
    [90_500, '1m30s500ms'],
    [150_000, '2m30s'],
    [86_400_000, '24h'],
    [3_661_001, '1h1m1s1ms'],
    [0.4, '0s'],
    [1.6, '2ms'],
  ];
  for (const [milliseconds, text] of rows) it(text, () => assert.equal(formatDuration(milliseconds), text));

  it('reads back as the same time', () => {
    fc.assert(fc.property(fc.nat(2 ** 31 - 1), (ms) => assert.equal(parseDuration(formatDuration(ms)), ms)));
  });
});
