// damping.test.ts -- flap damping: what a fall costs, when a check is held and when it is let go

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type DampingSettings,
  type DampingState,
  DEFAULT_DAMPING,
  damp,
  heldForMs,
  penaltyAt,
  UNDAMPED,
} from '../../src/health/damping.ts';

const SETTINGS: DampingSettings = { penalty: 100, halfLifeMs: 1000, suppress: 250, reuse: 100, max: 400 };

const at = (penalty: number, isSuppressed = false): DampingState => ({ penalty, atMs: 0, isSuppressed });

describe('damping: one step', () => {
  const rows: readonly (readonly [
    from: DampingState,
    fell: boolean,
    nowMs: number,
    penalty: number,
    isSuppressed: boolean,
  ])[] = [
    [UNDAMPED, false, 5000, 0, false],
    [UNDAMPED, true, 5000, 100, false],
    [at(100), false, 1000, 50, false],
    [at(100), true, 1000, 150, false],
    [at(100), true, 0, 200, false],
    [at(150), true, 0, 250, true],
    [at(249), false, 0, 249, false],
    [at(250, true), false, 1000, 125, true],
    [at(200, true), false, 1000, 100, true],
    [at(200, true), false, 1001, 99.93, false],
    [at(200, true), true, 1000, 200, true],
    [at(390, true), true, 0, 400, true],
    [at(100), false, 20_000, 0, false],
    [at(100), false, -50, 100, false],
  ];
  for (const [from, fell, nowMs, penalty, isSuppressed] of rows) {
    const title = `${from.penalty}${from.isSuppressed ? ' held' : ''}, ${fell ? 'a fall' : 'no fall'} after ${nowMs} ms`;
    it(`${title}: ${penalty}${isSuppressed ? ' held' : ''}`, () => {
      const after = damp(from, fell, nowMs, SETTINGS);
      assert.ok(Math.abs(after.penalty - penalty) < 0.01, `penalty ${after.penalty}`);
      assert.equal(after.isSuppressed, isSuppressed);
    });
  }

  it('is off with a penalty of 0, also for what was held', () => {
    assert.equal(damp(at(300, true), true, 0, { ...SETTINGS, penalty: 0 }), UNDAMPED);
  });

  it('forgets a penalty that has faded away', () => {
    assert.equal(damp(at(100), false, 60_000, SETTINGS), UNDAMPED);
  });
});

describe('damping: the default', () => {
  const falls = (count: number, everyMs: number) => {
    let state = UNDAMPED;
    for (let i = 1; i <= count; i++) state = damp(state, true, i * everyMs, DEFAULT_DAMPING);
    return state;
  };

  it('leaves alone what is stopped and started a few times within a minute', () => {
    for (let count = 1; count <= 9; count++) assert.equal(falls(count, 60_000 / count).isSuppressed, false, `${count}`);
  });

  it('holds what falls more than ten times in a minute', () => assert.equal(falls(11, 5000).isSuppressed, true));

  it('holds what goes on flapping at the pace of the default interval, rise and fall', () => {
    assert.equal(falls(10, 25_000).isSuppressed, false);
    assert.equal(falls(20, 25_000).isSuppressed, true);
  });

  it('leaves alone for ever what falls once in five minutes', () => {
    assert.equal(falls(1000, 300_000).isSuppressed, false);
  });

  it('lets go after five calm minutes, ten at most', () => {
    const { halfLifeMs, suppress, max } = DEFAULT_DAMPING;
    assert.equal(heldForMs({ penalty: suppress, atMs: 0, isSuppressed: true }, DEFAULT_DAMPING), halfLifeMs);
    assert.equal(heldForMs({ penalty: max, atMs: 0, isSuppressed: true }, DEFAULT_DAMPING), 2 * halfLifeMs);
    assert.equal(heldForMs({ penalty: max, atMs: 0, isSuppressed: false }, DEFAULT_DAMPING), 0);
  });
});

describe('damping: properties', () => {
  const settings = fc
    .tuple(
      fc.double({ min: 0.1, max: 1000, noNaN: true }),
      fc.integer({ min: 1, max: 3_600_000 }),
      fc.double({ min: 0.1, max: 1000, noNaN: true }),
      fc.double({ min: 1.01, max: 100, noNaN: true }),
      fc.double({ min: 1, max: 100, noNaN: true }),
    )
    .map(([penalty, halfLifeMs, reuse, times, more]) => {
      const suppress = reuse * times;
      return { penalty, halfLifeMs, reuse, suppress, max: suppress * more };
    });
  const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 600_000 })), { maxLength: 60 });

  it('a penalty is never negative nor above the most; a hold always ends, when it was said to', () => {
    fc.assert(
      fc.property(settings, steps, (given, script) => {
        let state = UNDAMPED;
        let nowMs = 0;
        for (const [fell, waitMs] of script) {
          nowMs += waitMs;
          const faded = penaltyAt(state, nowMs, given);
          assert.ok(faded <= state.penalty, 'a penalty only fades');
          state = damp(state, fell, nowMs, given);
          assert.ok(state.penalty >= 0 && state.penalty <= given.max, `penalty ${state.penalty}`);
          assert.ok(!state.isSuppressed || state.penalty >= given.reuse, 'held only above reuse');
          assert.ok(state.isSuppressed || state.penalty < given.suppress, 'not held only below suppress');
        }
        const heldMs = heldForMs(state, given);
        const bound = given.halfLifeMs * Math.log2(given.max / given.reuse);
        assert.ok(heldMs >= 0 && heldMs <= bound * (1 + 1e-9), `held for ${heldMs}, bound ${bound}`);
        assert.equal(damp(state, false, nowMs + heldMs + 1 + heldMs * 1e-9, given).isSuppressed, false);
      }),
      { numRuns: 300 },
    );
  });
});
