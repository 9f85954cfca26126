// prober.test.ts -- probes while our own event loop is held up

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import type { Outcome, ProbeResult } from '../../src/health/check-spec.ts';
import { Prober } from '../../src/health/prober.ts';
import { TimerWheel } from '../../src/health/timer-wheel.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';

/** A checker that times out unless `outcomes` says, for the probe at hand, what comes after 10 ms. */
function setUp(...outcomes: readonly (Outcome | 'timeout')[]) {
  const clock = new FakeClock();
  const wheel = new TimerWheel(clock);
  const startedMs: number[] = [];
  const probe = (): Promise<ProbeResult> => {
    const what = outcomes[startedMs.length] ?? 'timeout';
    startedMs.push(clock.monotonicMs());
    const latencyMs = what === 'timeout' ? 1000 : 10;
    const outcome = what === 'timeout' ? 'critical' : what;
    return new Promise((resolve) => clock.after(latencyMs, () => resolve({ outcome, output: what, latencyMs })));
  };
  const prober = new Prober({ tcp: { probe, close: async () => {} } }, clock, wheel, silentLogger);
  const results: ProbeResult[] = [];
  void prober.probe(probeTarget(checkSpec('tcp', { timeoutMs: 1000 }))).then((result) => results.push(result));
  return { clock, wheel, startedMs, results };
}

describe('a probe', () => {
  it('that times out while the loop is well counts', async () => {
    const { clock, wheel, startedMs, results } = setUp('timeout');
    await clock.advance(1000);
    assert.deepEqual([startedMs, results[0]?.outcome, wheel.size], [[0], 'critical', 0]);
  });

  it('that times out in a stall of ours is made again, and the second result counts', async () => {
    for (const second of ['passing', 'critical', 'timeout'] as const) {
      const { clock, startedMs, results } = setUp('timeout', second);
      await clock.advance(500);
      clock.stall(800);
      await clock.advance(5);
      assert.deepEqual([startedMs, results], [[0, 1300], []], second);
      await clock.advance(1000);
      assert.deepEqual([startedMs.length, results[0]?.output], [2, second]);
    }
  });

  it('is not made a third time, though the loop stands still again', async () => {
    const { clock, startedMs, results } = setUp('timeout', 'timeout', 'passing');
    clock.stall(2000);
    await clock.advance(0);
    clock.stall(2000);
    await clock.advance(100);
    assert.deepEqual([startedMs.length, results[0]?.outcome], [2, 'critical']);
  });

  it('counts when the stall was over before it began, or was short', async () => {
    const { clock, startedMs, results } = setUp('critical');
    await clock.advance(5);
    clock.stall(60);
    await clock.advance(5);
    assert.deepEqual([startedMs, results[0]?.outcome], [[0], 'critical']);
  });

  it('that passes in a stall counts', async () => {
    const { clock, startedMs, results } = setUp('passing');
    clock.stall(5000);
    await clock.advance(0);
    assert.deepEqual([startedMs, results[0]?.outcome], [[0], 'passing']);
  });
});
