// validate-steps.test.ts -- slow start and progressive canaries of policies: what is taken, what is wrong

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { presentPolicy } from '../../src/api/present-instance.ts';
import { readPolicy } from '../../src/registry/validate-policy.ts';
import { refusal } from '../support/registrations.ts';

const routes = [{ match: { tags: ['canary'] } }, { match: { tags: ['blue'] } }];
const step = { percent: 1, for: '10m' };

describe('steps of a policy', () => {
  it('are taken whole, and shown as they were sent', () => {
    const sent = {
      routes,
      slowStart: '30s',
      steps: [
        { route: 1, percent: 0.01, for: '10m' },
        { route: 1, percent: 25, at: '0 9 * * 1-5', timezone: 'Europe/Berlin', for: '1h' },
        { route: 0, percent: 100 },
      ],
      guard: { failing: 0.1, errors: 0.05, minRequests: 50 },
    };
    const policy = readPolicy(sent);
    assert.deepEqual(policy, {
      routes,
      slowStartMs: 30_000,
      steps: [
        { route: 1, percent: 0.01, forMs: 600_000 },
        { route: 1, percent: 25, at: '0 9 * * 1-5', timezone: 'Europe/Berlin', forMs: 3_600_000 },
        { route: 0, percent: 100 },
      ],
      guard: { failing: 0.1, errors: 0.05, minRequests: 50 },
    });
    assert.deepEqual(readPolicy(presentPolicy(policy)), policy);
  });

  it('are for the first route where they name none', () => {
    assert.equal(readPolicy({ routes, steps: [step] }).steps?.[0]?.route, 0);
  });

  it('may come with what is shown of them', () => {
    assert.deepEqual(readPolicy({ rollout: { state: 'done' } }), {});
  });

  it('need no end but the time of the next one', () => {
    const steps = [{ percent: 1 }, { percent: 2, at: '0 9 * * *' }];
    assert.equal(readPolicy({ routes, steps }).steps?.length, 2);
  });

  const refused: readonly [value: object, code: string, path: string][] = [
    [{ slowStart: 30 }, 'invalid', 'slowStart'],
    [{ slowStart: '2d' }, 'invalid', 'slowStart'],
    [{ routes, steps: 'all' }, 'invalid', 'steps'],
    [{ routes, steps: [7] }, 'invalid', 'steps[0]'],
    [{ routes, steps: Array(33).fill(step) }, 'invalid', 'steps'],
    [{ routes, steps: [{}] }, 'invalid', 'steps[0].percent'],
    [{ routes, steps: [{ percent: 101 }] }, 'invalid', 'steps[0].percent'],
    [{ routes, steps: [{ percent: 0.001 }] }, 'invalid', 'steps[0].percent'],
    [{ routes, steps: [{ ...step, route: 2 }] }, 'invalid', 'steps[0].route'],
    [{ steps: [step] }, 'invalid', 'steps[0].route'],
    [{ routes, steps: [{ ...step, for: 600 }] }, 'invalid', 'steps[0].for'],
    [{ routes, steps: [{ ...step, at: 'noon' }] }, 'invalid', 'steps[0].at'],
    [{ routes, steps: [{ ...step, at: '* * * * *', timezone: 'Mars' }] }, 'invalid', 'steps[0].timezone'],
    [{ routes, steps: [{ ...step, timezone: 'UTC' }] }, 'invalid', 'steps[0].timezone'],
    [{ routes, steps: [{ percent: 1 }, step] }, 'invalid', 'steps[0].for'],
    [{ routes, steps: [{ ...step, until: 'noon' }] }, 'invalid', 'steps[0].until'],
    [{ guard: { failing: 0.5 } }, 'invalid', 'guard'],
    [{ steps: [], guard: { failing: 0.5 } }, 'invalid', 'guard'],
    [{ routes: [], steps: [step] }, 'invalid', 'steps[0].route'],
    [{ routes, steps: [{ percent: 1 }, { ...step, at: null }] }, 'invalid', 'steps[0].for'],
    [{ routes, steps: [step], guard: { failing: 2 } }, 'invalid', 'guard.failing'],
    [{ routes, steps: [step], guard: { errors: 1.1 } }, 'invalid', 'guard.errors'],
    [{ routes, steps: [step], guard: { errors: '5%' } }, 'invalid', 'guard.errors'],
    [{ routes, steps: [step], guard: { errors: 0.1, minRequests: 0 } }, 'invalid', 'guard.minRequests'],
    [{ routes, steps: [step], guard: { minRequests: 10 } }, 'invalid', 'guard.minRequests'],
    [{ routes, steps: [step], guard: { latency: 10 } }, 'invalid', 'guard.latency'],
  ];
  for (const [value, code, path] of refused) {
    it(`${JSON.stringify(value).slice(0, 100)} is ${code} at ${path}`, () => {
      const { code: actual, details } = refusal(() => readPolicy(value));
      assert.deepEqual([actual, details.map((each) => each.path)], [code, [path]]);
    });
  }
});
