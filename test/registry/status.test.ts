// status.test.ts -- the truth table of a status

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Outcome } from '../../src/health/check-spec.ts';
import type { CheckState, Status } from '../../src/registry/instance.ts';
import { deriveStatus } from '../../src/registry/status.ts';
import { aCheck } from '../support/registrations.ts';

/** One letter a check: p(assing), w(arning), c(ritical), - (no result), n(eutral, no result), ? (no state at all). */
const OUTCOMES: Readonly<Record<string, Outcome>> = { p: 'passing', w: 'warning', c: 'critical' };

function derive(letters: string, more: { draining?: boolean; maintenance?: string; leaseExpired?: boolean } = {}) {
  const checks = [...letters].map((_, i) => aCheck(`c${i}`));
  const states: Record<string, CheckState> = {};
  for (const [i, letter] of [...letters].entries()) {
    if (letter === '?') continue;
    const outcome = OUTCOMES[letter];
    states[`c${i}`] = { outcome, output: '', latencyMs: undefined, sinceMs: 0, neutral: letter === 'n' };
  }
  const { draining = false, maintenance, leaseExpired = false } = more;
  return deriveStatus({ checks, states, draining, maintenance, leaseExpired });
}

describe('a status', () => {
  const rows: readonly [letters: string, status: Status, reason: string][] = [
    ['', 'healthy', 'no checks'],
    ['p', 'healthy', 'all checks pass'],
    ['ppp', 'healthy', 'all checks pass'],
    ['w', 'warning', 'check c0 warns'],
    ['pww', 'warning', 'check c1, c2 warns'],
    ['c', 'unhealthy', 'check c0 is critical'],
    ['pwc', 'unhealthy', 'check c2 is critical'],
    ['cpc', 'unhealthy', 'check c0, c2 is critical'],
    ['-', 'pending', 'check c0 has no result yet'],
    ['?', 'pending', 'check c0 has no result yet'],
    ['p-', 'pending', 'check c1 has no result yet'],
    ['w-', 'pending', 'check c1 has no result yet'],
    ['c-', 'pending', 'check c1 has no result yet'],
    ['n', 'healthy', 'all checks pass'],
    ['pn', 'healthy', 'all checks pass'],
    ['wn', 'warning', 'check c0 warns'],
    ['cn', 'unhealthy', 'check c0 is critical'],
    ['n-', 'pending', 'check c1 has no result yet'],
  ];
  for (const [letters, status, reason] of rows) {
    it(`of '${letters}' is ${status}`, () => assert.deepEqual(derive(letters), { status, reason }));
  }

  for (const letters of ['', 'p', 'w', 'c', '-']) {
    it(`of '${letters}' gives way to draining, maintenance and an expired lease, in this order`, () => {
      const all = { draining: true, maintenance: 'new disk', leaseExpired: true };
      assert.deepEqual(derive(letters, all), { status: 'draining', reason: 'draining' });
      assert.deepEqual(derive(letters, { ...all, draining: false }), { status: 'maintenance', reason: 'new disk' });
      assert.deepEqual(derive(letters, { leaseExpired: true }), { status: 'unhealthy', reason: 'lease expired' });
      assert.deepEqual(derive(letters, { maintenance: '' }), { status: 'maintenance', reason: 'maintenance' });
    });
  }
});
