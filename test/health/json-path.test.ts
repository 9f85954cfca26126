// json-path.test.ts -- paths into JSON, and values that are the same

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { equalJson, parseJsonPath, valueAt } from '../../src/health/json-path.ts';

describe('parseJsonPath', () => {
  const rows: readonly (readonly [string, readonly (string | number)[] | undefined])[] = [
    ['a', ['a']],
    ['a.b.c', ['a', 'b', 'c']],
    ['a.b[0].c', ['a', 'b', 0, 'c']],
    ['[0]', [0]],
    ['[0][12].a', [0, 12, 'a']],
    ['a["b.c"].d', ['a', 'b.c', 'd']],
    ['["a b"]', ['a b']],
    ['$', []],
    ['a-b.é_1', ['a-b', 'é_1']],
    ['0.1', ['0', '1']],
    ['', undefined],
    ['.', undefined],
    ['.a', undefined],
    ['$.a[0]', ['a', 0]],
    ['$[0]', [0]],
    ['$a', ['$a']],
    ['$.', undefined],
    ['a\n', undefined],
    ['a.', undefined],
    ['a..b', undefined],
    ['a[b]', undefined],
    ['a[01]', undefined],
    ['a[-1]', undefined],
    ['a[0', undefined],
    ['a[""]', undefined],
    ['[0]a', undefined],
    ['a b', undefined],
    ['a'.repeat(257), undefined],
    ['[0]'.repeat(33), undefined],
  ];
  for (const [text, expected] of rows) {
    it(JSON.stringify(text).slice(0, 40), () => assert.deepEqual(parseJsonPath(text), expected));
  }
});

describe('valueAt', () => {
  const document = JSON.parse('{"a": {"b": [{"c": null}, 7]}, "x.y": "z", "__proto__": {"own": 1}}');
  const rows: readonly (readonly [string, unknown])[] = [
    ['a.b[0].c', null],
    ['a.b[1]', 7],
    ['["x.y"]', 'z'],
    ['__proto__.own', 1],
    ['a.b[2]', undefined],
    ['a.b.length', undefined],
    ['a.constructor', undefined],
    ['a.toString', undefined],
    ['a[0]', undefined],
    ['a.b.0', undefined],
    ['a.b[0].c.d', undefined],
    ['["x.y"].length', undefined],
    ['["x.y"][0]', undefined],
  ];
  for (const [path, expected] of rows) {
    it(path, () => assert.deepEqual(valueAt(document, parseJsonPath(path)!), expected));
  }
});

describe('equalJson', () => {
  const rows: readonly (readonly [string, string, boolean])[] = [
    ['1', '1.0', true],
    ['0', '-0', true],
    ['1', '"1"', false],
    ['null', '0', false],
    ['null', '{}', false],
    ['[]', '{}', false],
    ['[1, 2]', '[2, 1]', false],
    ['[1]', '[1, 2]', false],
    ['{"a": 1, "b": [true]}', '{"b": [true], "a": 1}', true],
    ['{"a": 1}', '{"a": 1, "b": 2}', false],
    ['{"a": null}', '{"b": null}', false],
    ['{"__proto__": 1}', '{"a": 1}', false],
    ['{"a": {"b": {"c": 1}}}', '{"a": {"b": {"c": 2}}}', false],
  ];
  for (const [a, b, expected] of rows) {
    it(`${a} and ${b}: ${expected}`, () => {
      assert.equal(equalJson(JSON.parse(a), JSON.parse(b)), expected);
      assert.equal(equalJson(JSON.parse(b), JSON.parse(a)), expected);
    });
  }
});
