// validate-policy.test.ts -- policies: what is taken, what is to come, what is wrong

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readPolicy } from '../../src/registry/validate-policy.ts';
import { refusal } from '../support/registrations.ts';

describe('a policy', () => {
  it('may be empty: everything falls back', () => assert.deepEqual(readPolicy({}), {}));
  it('is taken whole', () => {
    const unhealthy = { whenAllUnhealthy: 'last-known', minHealthyFraction: 0.5, warningWeight: 0 };
    const balance = { strategy: 'weighted', maxAnswers: 3, srvWeightScale: 256, oneSubnetPerAnswer: true };
    assert.deepEqual(readPolicy({ ttl: '1m', ...balance, ...unhealthy }), { ttlSeconds: 60, ...balance, ...unhealthy });
  });

  const refused: readonly [value: unknown, code: string, path: string][] = [
    [null, 'invalid', ''],
    ['random', 'invalid', ''],
    [{ strategy: 'fastest' }, 'invalid', 'strategy'],
    [{ maxAnswers: 0 }, 'invalid', 'maxAnswers'],
    [{ maxAnswers: 1001 }, 'invalid', 'maxAnswers'],
    [{ ttl: 30 }, 'invalid', 'ttl'],
    [{ ttl: '500ms' }, 'invalid', 'ttl'],
    [{ ttl: '2d' }, 'invalid', 'ttl'],
    [{ whenAllUnhealthy: 'some' }, 'invalid', 'whenAllUnhealthy'],
    [{ minHealthyFraction: 1.1 }, 'invalid', 'minHealthyFraction'],
    [{ minHealthyFraction: '50%' }, 'invalid', 'minHealthyFraction'],
    [{ minHealthyFraction: Number.NaN }, 'invalid', 'minHealthyFraction'],
    [{ warningWeight: -0.1 }, 'invalid', 'warningWeight'],
    [{ srvWeightScale: 0 }, 'invalid', 'srvWeightScale'],
    [{ srvWeightScale: 65_536 }, 'invalid', 'srvWeightScale'],
    [{ srvWeightScale: '256' }, 'invalid', 'srvWeightScale'],
    [{ oneSubnetPerAnswer: 1 }, 'invalid', 'oneSubnetPerAnswer'],
    [{ Strategy: 'random' }, 'invalid', 'Strategy'],
    [JSON.parse('{"__proto__":{}}'), 'invalid', '__proto__'],
  ];
  for (const [value, code, path] of refused) {
    it(`${JSON.stringify(value)} is ${code}`, () => {
      const { code: actual, details } = refusal(() => readPolicy(value));
      assert.deepEqual([actual, details.map((each) => each.path)], [code, [path]]);
    });
  }
});
