// token-scopes.test.ts -- globs, and which scope permits what

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Action, globMatches, scopeProblem, TokenScopes } from '../../src/api/token-scopes.ts';

describe('globMatches', () => {
  const cases: readonly (readonly [glob: string, text: string, matches: boolean])[] = [
    ['cart', 'cart', true],
    ['cart', 'cart-api', false],
    ['*', '', true],
    ['*', 'anything', true],
    ['cart-*', 'cart-', true],
    ['cart-*', 'cart-api', true],
    ['cart-*', 'cart', false],
    ['*-api', 'cart-api', true],
    ['*-api', 'cart-api-2', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['a.c', 'abc', false],
    ['', 'a', false],
  ];
  for (const [glob, text, matches] of cases) {
    it(`${glob} ${matches ? 'matches' : 'does not match'} '${text}'`, () => {
      assert.equal(globMatches(glob, text), matches);
    });
  }

  it('stays quick on a pattern made to be slow', () => {
    const start = performance.now();
    assert.equal(globMatches(`${'*a'.repeat(30)}b`, 'a'.repeat(63)), false);
    assert.ok(performance.now() - start < 50);
  });
});

describe('TokenScopes', () => {
  const rows: readonly (readonly [scope: string, allowed: readonly string[]])[] = [
    ['services:read:cart-*', ['read', 'read-policy']],
    ['services:write:cart-*', ['read', 'write', 'read-policy']],
    ['policies:write:cart-*', ['read-policy', 'write-policy']],
    ['SERVICES:READ:CART-*', ['read', 'read-policy']],
    ['operator', ['read', 'write', 'read-policy', 'write-policy']],
    ['services:read:pay', []],
    ['services:write', []],
  ];
  const actions: readonly Action[] = ['read', 'write', 'read-policy', 'write-policy'];
  for (const [scope, allowed] of rows) {
    it(`${scope} permits ${allowed.join(', ') || 'nothing'} of cart-api`, () => {
      const scopes = new TokenScopes([scope]);
      assert.deepEqual(
        actions.filter((action) => scopes.allows(action, 'cart-api')),
        allowed,
      );
    });
  }

  it('tells of unknown ids only those that begin like its own services', () => {
    const scopes = new TokenScopes(['services:write:cart', 'services:write:shop-*']);
    const told = ['cart-10.0.0.7:80', 'shop-1', 'cart2-10.0.0.7:80', 'pay-1', 'SHOP-1'];
    assert.deepEqual(
      told.filter((id) => scopes.allowsUnknownId('write', id)),
      ['cart-10.0.0.7:80', 'shop-1', 'SHOP-1'],
    );
    assert.equal(new TokenScopes(['services:write:*']).allowsUnknownId('write', 'pay-1'), true);
  });

  it('names what is no scope', () => {
    for (const scope of ['', 'admin', 'services:read:', 'services:read:a b', 'policies:read:*', 'services:write:a:b']) {
      assert.match(scopeProblem(scope) ?? '', /is not a scope/, scope);
    }
    for (const scope of ['operator', 'services:read:*', 'services:write:cart-*', 'policies:write:a_b']) {
      assert.equal(scopeProblem(scope), undefined);
    }
  });
});
