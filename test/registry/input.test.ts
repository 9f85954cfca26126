// input.test.ts -- what the reader of untrusted JSON takes, and what it says of what it does not take

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Findings, InputObject } from '../../src/registry/input.ts';
import { refusal } from '../support/registrations.ts';

/** Read field `x` of `{ x: value }`; returns what came of it: a value or the findings. */
function readX(value: unknown, read: (input: InputObject) => unknown): unknown {
  const findings = new Findings();
  const input = InputObject.of({ x: value }, '', findings)!;
  const result = read(input);
  const found = [...findings.invalid, ...findings.unsupported];
  return found.length === 0 ? result : found.map(({ path, message }) => `${path}: ${message}`);
}

type Row = readonly [name: string, value: unknown, expected: unknown];

function table(title: string, read: (input: InputObject) => unknown, rows: readonly Row[]): void {
  describe(title, () => {
    for (const [name, value, expected] of rows) {
      it(name, () => assert.deepEqual(readX(value, read), expected));
    }
  });
}

const NO_CONTROL = ['x: must not contain control characters'];
table('text', (input) => input.text('x', 5), [
  ['takes what fits', 'abcde', 'abcde'],
  ['takes letters of any script', 'žlутé'.slice(0, 5), 'žlутé'.slice(0, 5)],
  ['takes a whole surrogate pair', '😀', '😀'],
  ['counts null as not stated', null, undefined],
  ['refuses nothing', '', ['x: must have 1 to 5 characters']],
  ['refuses one too many', 'abcdef', ['x: must have 1 to 5 characters']],
  ['refuses numbers', 5, ['x: must be a string']],
  ['refuses lists', ['a'], ['x: must be a string']],
  ['refuses a line feed', 'a\n', NO_CONTROL],
  ['refuses a zero octet', '\0', NO_CONTROL],
  ['refuses an escape', '\x1b[31m', NO_CONTROL],
  ['refuses C1 controls', '\x9b', NO_CONTROL],
  ['refuses what turns the reading direction', 'a\u202eb', NO_CONTROL],
  ['refuses a line separator', '\u2028', NO_CONTROL],
  ['refuses half a surrogate pair', 'a\ud800', NO_CONTROL],
]);

const RANGE = ['x: must be a whole number from 0 to 10'];
table('integer', (input) => input.integer('x', 0, 10), [
  ['takes the least', 0, 0],
  ['takes the most', 10, 10],
  ['refuses less', -1, RANGE],
  ['refuses more', 11, RANGE],
  ['refuses fractions', 1.5, RANGE],
  ['refuses digits in quotes', '5', RANGE],
  ['refuses NaN', Number.NaN, RANGE],
  ['refuses infinity', Number.POSITIVE_INFINITY, RANGE],
  ['refuses booleans', true, RANGE],
]);

it('integer makes -0 the 0 that a store gives back', () => {
  assert.ok(
    Object.is(
      readX(JSON.parse('-0'), (input) => input.integer('x', 0, 10)),
      0,
    ),
  );
});

table('boolean', (input) => input.boolean('x'), [
  ['takes false', false, false],
  ['takes true', true, true],
  ['refuses 0', 0, ['x: must be true or false']],
  ['refuses "true"', 'true', ['x: must be true or false']],
]);

const UNIT = ['x: must be a time with a unit, like "5s" or "500ms"'];
table('duration', (input) => input.duration('x', 100, 60_000), [
  ['takes seconds', '5s', 5000],
  ['takes fractions', '0.5s', 500],
  ['takes parts', '0m1s500ms', 1500],
  ['takes the least', '100ms', 100],
  ['takes the most', '1m', 60_000],
  ['refuses less', '99ms', ['x: must be from 0.1s to 60s']],
  ['refuses more', '1m1ms', ['x: must be from 0.1s to 60s']],
  ['refuses a bare number', 5000, UNIT],
  ['refuses digits alone', '5', UNIT],
  ['refuses a space', '5 s', UNIT],
  ['refuses a sign', '-5s', UNIT],
  ['refuses an exponent', '1e3s', UNIT],
  ['refuses capitals', '5S', UNIT],
  ['refuses what no number holds', `${'9'.repeat(20)}d`, UNIT],
  ['refuses a line feed', '5s\n', UNIT],
]);

table('oneOf', (input) => input.oneOf('x', ['a', 'b'], ['later']), [
  ['takes what is supported', 'b', 'b'],
  ['names what is to come', 'later', ["x: 'later' is not supported yet"]],
  ['names the choice', 'c', ['x: must be one of a, b, later']],
  ['is exact', 'A', ['x: must be one of a, b, later']],
  ['refuses other types', 1, ['x: must be one of a, b, later']],
]);

table('list', (input) => input.list('x', 2), [
  ['takes what fits', [1, 2], [1, 2]],
  ['refuses more', [1, 2, 3], ['x: has 3 elements (at most 2)']],
  ['refuses objects', { 0: 1, length: 1 }, ['x: must be an array']],
]);

const BAD_KEY = ['x: has a key that is empty, too long or not allowed'];
const BAD_VALUE = ['x.a: must be a string of at most 3 characters without control characters'];
table('textMap', (input) => input.textMap('x', 2, 3), [
  ['takes what fits', { a: '', b: 'xyz' }, { a: '', b: 'xyz' }],
  ['refuses too many keys', { a: '', b: '', c: '' }, ['x: has 3 keys (at most 2)']],
  ['refuses a long value', { a: 'wxyz' }, BAD_VALUE],
  ['refuses numbers', { a: 1 }, BAD_VALUE],
  ['refuses null', { a: null }, BAD_VALUE],
  ['refuses a control character', { a: '\r' }, BAD_VALUE],
  ['refuses an empty key', { '': '' }, BAD_KEY],
  ['refuses a long key', { ['k'.repeat(129)]: '' }, BAD_KEY],
  ['refuses a control character in a key', { 'a\n': '' }, BAD_KEY],
  ['refuses __proto__', JSON.parse('{"__proto__":"a"}'), ['x.__proto__: cannot be a key']],
  ['takes constructor, which is only a word', { constructor: 'a' }, { constructor: 'a' }],
  ['takes toString', { toString: 'a' }, { toString: 'a' }],
  ['refuses a list', ['a'], ['x: must be an object']],
]);

describe('an object', () => {
  it('is neither null nor a list nor a text', () => {
    for (const value of [null, [], 'a', 1, true, undefined]) {
      const findings = new Findings();
      assert.equal(InputObject.of(value, 'where', findings), undefined);
      assert.deepEqual(findings.invalid, [{ path: 'where', message: 'must be an object' }]);
    }
  });
  it('says which fields nobody asked for, without repeating what cannot be printed', () => {
    const findings = new Findings();
    const fields = JSON.parse(`{"known":1,"nul":null,"more":1,"__proto__":1,"a\\nb":1,"${'l'.repeat(65)}":1}`);
    const input = InputObject.of(fields, 'checks[0]', findings)!;
    input.integer('known', 0, 1);
    input.finish();
    assert.deepEqual(
      findings.invalid.map(({ path }) => path),
      ['nul', 'more', '__proto__', '(unprintable)', '(unprintable)'].map((key) => `checks[0].${key}`),
    );
    assert.ok(findings.invalid.every(({ message }) => message === 'unknown field'));
  });
  it('sees its own fields only', () => {
    const input = InputObject.of(Object.create({ inherited: 1 }), '', new Findings())!;
    assert.deepEqual(
      [input.has('inherited'), input.has('toString'), input.raw('constructor')],
      [false, false, undefined],
    );
  });
});

describe('findings', () => {
  it('are thrown together, the first one in the message', () => {
    const findings = new Findings();
    findings.throwAny('thing');
    findings.invalid.push({ path: 'a', message: 'is bad' }, { path: '', message: 'is worse' });
    assert.throws(() => findings.throwAny('thing'), { code: 'invalid', message: 'thing: a: is bad (and 1 more)' });
    assert.equal(refusal(() => findings.throwAny('thing')).details.length, 2);
  });
  it('are not_supported only when nothing else is wrong', () => {
    const findings = new Findings();
    findings.unsupported.push({ path: 'a', message: 'is not supported yet' });
    assert.throws(() => findings.throwAny('thing'), {
      code: 'not_supported',
      message: 'thing: a: is not supported yet',
    });
    findings.invalid.push({ path: '', message: 'is bad' });
    assert.throws(() => findings.throwAny('thing'), { code: 'invalid', message: 'thing: is bad' });
  });
});
