// errors.test.ts -- coded and located errors, and assertions

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CodedError,
  assert as check,
  errorMessage,
  formatProblem,
  LocatedError,
  type Problem,
} from '../../src/base/errors.ts';

const PROBLEM: Problem = { file: 'a.yaml', line: 3, column: 7, message: 'is wrong', severity: 'error' };

describe('errors', () => {
  it('with a code carry details', () => {
    const error = new CodedError('bad_request', 'no', [{ path: 'checks[0].interval', message: 'needs a unit' }]);
    assert.ok(error instanceof Error);
    assert.deepEqual(
      [error.name, error.code, error.message, error.details[0]!.path],
      ['CodedError', 'bad_request', 'no', 'checks[0].interval'],
    );
    assert.deepEqual(new CodedError('x', 'y').details, []);
  });

  it('in files are written as editors follow them', () => {
    assert.equal(formatProblem(PROBLEM), 'a.yaml:3:7: is wrong');
    assert.equal(formatProblem({ ...PROBLEM, severity: 'warning' }), 'a.yaml:3:7: warning: is wrong');
    assert.equal(formatProblem({ ...PROBLEM, line: 0, column: 0 }), 'a.yaml: is wrong');
  });

  it('in files are reported all at once', () => {
    const error = new LocatedError('bad_config', [PROBLEM, { ...PROBLEM, line: 9 }]);
    assert.equal(error.message, 'a.yaml:3:7: is wrong\na.yaml:9:7: is wrong');
    assert.deepEqual([error.name, error.code, error.problems.length], ['LocatedError', 'bad_config', 2]);
  });

  it('of our own making say so', () => {
    assert.throws(() => check(false, 'the sky is up'), /^Error: assertion failed: the sky is up$/);
    for (const nothing of [0, '', null, undefined]) assert.throws(() => check(nothing, ''));
    for (const something of [1, 'x', {}, []]) check(something, '');
  });

  it('of any kind have a message', () => {
    assert.deepEqual([new TypeError('a'), 'b', undefined, { c: 1 }].map(errorMessage), [
      'a',
      'b',
      'undefined',
      '[object Object]',
    ]);
  });
});
