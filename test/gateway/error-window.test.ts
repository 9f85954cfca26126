// error-window.test.ts -- sums over a sliding window, against a list of everything that was added

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { ErrorWindow } from '../../src/gateway/error-window.ts';

it('counts all of the last nine tenths of the window, and nothing older than it', () => {
  const event = fc.record({ afterMs: fc.nat(1500), requests: fc.nat(5), errors: fc.nat(5) });
  fc.assert(
    fc.property(fc.integer({ min: 10, max: 5000 }), fc.nat(100_000), fc.array(event), (windowMs, startMs, events) => {
      const window = new ErrorWindow(windowMs);
      const past: { atMs: number; requests: number; errors: number }[] = [];
      let nowMs = startMs;
      for (const { afterMs, requests, errors } of events) {
        nowMs += afterMs;
        window.add(requests, errors, nowMs);
        past.push({ atMs: nowMs, requests, errors });
        const since = (ms: number, key: 'requests' | 'errors') =>
          past.filter(({ atMs }) => atMs > nowMs - ms).reduce((sum, each) => sum + each[key], 0);
        const sums = window.sums(nowMs);
        for (const key of ['requests', 'errors'] as const) {
          const [least, most] = [since(windowMs * 0.9 - 1e-6, key), since(windowMs + 1e-6, key)];
          assert.ok(sums[key] >= least && sums[key] <= most, `${sums[key]} ${key}, not ${least} to ${most}`);
        }
      }
      assert.deepEqual(window.sums(nowMs + windowMs), { requests: 0, errors: 0 });
    }),
  );
});
