// monitor.test.ts -- checks over time, on a clock that the test moves

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import type { CheckSpec, ProbeResult } from '../../src/health/check-spec.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';
import { beat, watchedMonitor as setUp, tcp } from '../support/watched-monitor.ts';

describe('monitor: probing', () => {
  it('probes at once, then every interval from start to start', async () => {
    const { clock, checker, watch } = setUp();
    checker.tookMs = 300;
    watch(tcp());
    await clock.advance(3500);
    assert.deepEqual(checker.times, [0, 1000, 2000, 3000]);
  });

  it('never probes a check twice at a time, however slow it is', async () => {
    const { clock, checker, watch } = setUp();
    checker.tookMs = 1700;
    watch(tcp({ timeoutMs: 2000 }));
    await clock.advance(6000);
    assert.deepEqual(checker.times, [0, 1700, 3400, 5100]);
    assert.equal(checker.mostRunning, 1);
  });

  it('reports every result, its outcome, whether it changed and whether it was the first', async () => {
    const { clock, checker, events, watch } = setUp();
    watch(tcp({ fall: 2, rise: 2 }));
    await clock.advance(500);
    checker.outcome = 'critical';
    await clock.advance(2000);
    const rows = events.map((event) => [event.result.outcome, event.outcome, event.changed, event.first]);
    assert.deepEqual(rows, [
      ['passing', 'passing', true, true],
      ['critical', 'passing', false, false],
      ['critical', 'critical', true, false],
    ]);
    const { instanceId, checkId, type, result } = events[2]!;
    assert.deepEqual([instanceId, checkId, type, result.output], ['cart-1', 'check-1', 'tcp', 'it is critical']);
  });

  it('initial is where it starts, and rise and fall apply from there', async () => {
    const { clock, checker, outcomes, events, watch } = setUp();
    checker.outcome = 'critical';
    watch(tcp({ initial: 'passing', fall: 3 }));
    await clock.advance(2500);
    assert.equal(outcomes(), 'ppc');
    assert.deepEqual(
      events.map((event) => event.changed),
      [false, false, true],
    );
    assert.deepEqual(
      events.map((event) => event.first),
      [true, false, false],
    );
  });

  it('a restored outcome holds until the first result, which decides', async () => {
    const { clock, checker, events, watch } = setUp();
    checker.outcome = 'critical';
    watch(tcp(), { 'check-1': 'passing', other: 'critical' });
    await clock.advance(0);
    assert.deepEqual(
      events.map(({ outcome, changed, first }) => [outcome, changed, first]),
      [['critical', true, true]],
    );
  });

  it('an instance that dies is critical within interval x (1 + jitter) x fall + timeout', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const { clock, checker, events, watch } = setUp({ random: seededRandom(seed), jitter: 0.1 });
      watch(tcp({ fall: 3, timeoutMs: 500 }));
      const diesMs = 5000 + seed * 37;
      await clock.advance(diesMs);
      checker.outcome = 'critical';
      checker.tookMs = 500;
      await clock.advance(1000 * 1.1 * 3 + 500);
      assert.equal(events.at(-1)?.outcome, 'critical', `seed ${seed}`);
    }
  });

  it('ignores jumps of the wall clock', async () => {
    const { clock, checker, watch } = setUp();
    watch(tcp());
    for (const jumpMs of [3_600_000, -86_400_000, 0]) {
      clock.jumpWall(jumpMs);
      await clock.advance(1000);
    }
    assert.deepEqual(checker.times, [0, 1000, 2000, 3000]);
  });
});

describe('monitor: what is watched', () => {
  it('a check that is as it was keeps its state and its schedule', async () => {
    const { clock, checker, outcomes, watch } = setUp();
    watch(tcp({ fall: 3, headers: { a: '1', b: '2' } }));
    await clock.advance(500);
    checker.outcome = 'critical';
    for (let i = 0; i < 10; i++) {
      watch(tcp({ headers: { b: '2', a: '1' }, fall: 3 }), { 'check-1': 'critical' });
      await clock.advance(300);
    }
    assert.deepEqual(checker.times, [0, 1000, 2000, 3000]);
    assert.equal(outcomes(), 'pppc');
  });

  it('a changed check or address starts anew, at once', async () => {
    const { clock, checker, events, monitor, watch } = setUp();
    watch(tcp());
    await clock.advance(400);
    checker.outcome = 'critical';
    watch(tcp({ timeoutMs: 400 }));
    await clock.advance(400);
    monitor.watch('cart-1', [probeTarget(tcp({ timeoutMs: 400 }), { port: 10 })], { restored: {}, spread: false });
    await clock.advance(1000);
    assert.deepEqual(checker.times, [0, 400, 800, 1800]);
    assert.deepEqual(
      events.map(({ outcome, first }) => `${outcome[0]}${first}`),
      ['ptrue', 'ctrue', 'ctrue', 'cfalse'],
    );
  });

  it('checks not named any more stop, others go on', async () => {
    const { clock, checker, monitor } = setUp();
    const [a, b] = ['a', 'b'].map((id) => probeTarget(tcp({ id })));
    monitor.watch('cart-1', [a!, b!], { restored: {}, spread: false });
    await clock.advance(500);
    monitor.watch('cart-1', [b!], { restored: {}, spread: false });
    await clock.advance(1000);
    assert.deepEqual(
      checker.probes.map((probe) => probe.key),
      ['cart-1/a', 'cart-1/b', 'cart-1/b'],
    );
  });

  it('results that come after unwatch, change or stop are dropped', async () => {
    for (const leave of ['unwatch', 'change', 'stop'] as const) {
      const { clock, checker, events, monitor, watch } = setUp();
      checker.tookMs = 400;
      watch(tcp());
      await clock.advance(200);
      checker.outcome = 'critical';
      if (leave === 'unwatch') monitor.unwatch('cart-1');
      if (leave === 'stop') monitor.stop();
      if (leave === 'change') watch(tcp({ rise: 9 }));
      await clock.advance(300);
      assert.deepEqual(events, [], leave);
      await clock.advance(300);
      assert.equal(events.length, leave === 'change' ? 1 : 0);
    }
  });

  it('unwatch and stop leave no timer behind', async () => {
    const { clock, monitor } = setUp();
    const checks = [
      tcp({ deregisterAfterMs: 60_000 }),
      beat({ id: 'beat', initial: 'critical', deregisterAfterMs: 60_000 }),
    ];
    for (const id of ['a', 'b']) {
      const targets = checks.map((check) => probeTarget(check, { instanceId: id }));
      monitor.watch(id, targets, { restored: {}, spread: id === 'b' });
    }
    await clock.advance(100);
    assert.equal(clock.pendingCount, 1, 'one real timer for all');
    monitor.unwatch('a');
    monitor.unwatch('a');
    monitor.stop();
    assert.equal(clock.pendingCount, 0);
  });

  it('a callback may unwatch the very instance it is told of', async () => {
    const events: string[] = [];
    const { clock, monitor, watch } = setUp({
      onResult: (event) => {
        events.push(event.outcome);
        monitor.unwatch(event.instanceId);
      },
    });
    watch(tcp());
    await clock.advance(5000);
    assert.deepEqual(events, ['passing']);
    assert.equal(clock.pendingCount, 0);
  });
});

describe('monitor: cron', () => {
  function withCron() {
    const fires = new Map<string, () => void>();
    const cancelled: string[] = [];
    const cron = (check: CheckSpec, fire: () => void) => {
      fires.set(check.id, fire);
      return { cancel: () => void cancelled.push(check.id) };
    };
    return { ...setUp({ cron }), fires, cancelled };
  }

  it('a check with a schedule is probed at once, and then when that says so, never twice at a time', async () => {
    const { clock, checker, monitor, watch, fires, cancelled } = withCron();
    checker.tookMs = 300;
    watch(tcp({ schedule: '0 * * * *' }));
    await clock.advance(60_000);
    fires.get('check-1')!();
    fires.get('check-1')!();
    await clock.advance(100);
    fires.get('check-1')!();
    await clock.advance(60_000);
    assert.deepEqual(checker.times, [0, 60_000]);
    monitor.stop();
    assert.deepEqual(cancelled, ['check-1']);
    fires.get('check-1')!();
    await clock.advance(1000);
    assert.equal(checker.probes.length, 2);
  });

  it('other checks know nothing of it', async () => {
    const { clock, checker, watch, fires } = withCron();
    watch(tcp());
    await clock.advance(2500);
    assert.deepEqual([checker.times, fires.size], [[0, 1000, 2000], 0]);
  });
});

describe('monitor: flap damping', () => {
  const damping = { penalty: 1, halfLifeMs: 60_000, suppress: 3, reuse: 1, max: 4 };

  async function flap(times: number, parts: Partial<CheckSpec> = {}) {
    const set = setUp({ damping });
    set.watch(tcp({ rise: 1, fall: 1, ...parts }));
    await set.clock.advance(500);
    for (let i = 0; i < times; i++) {
      for (const outcome of ['critical', 'passing'] as const) {
        set.checker.outcome = outcome;
        await set.clock.advance(1000);
      }
    }
    return set;
  }

  it('says what it thinks of a check that falls, and holds one that keeps falling until it is calm', async () => {
    const { clock, events } = await flap(4);
    const seen = events.map((event) => `${event.outcome[0]}${event.damping?.suppressed === true ? '!' : ''}`);
    assert.deepEqual(seen, ['p', 'c', 'p', 'c', 'p', 'c', 'p', 'c!', 'c!']);
    const { damping: shown, changed, result } = events.at(-1)!;
    assert.equal(result.outcome, 'passing');
    assert.equal(changed, false);
    assert.ok(shown !== undefined && shown.penalty > 3 && shown.penalty < 4, `${shown?.penalty}`);
    const heldMs = shown.reuseAtMs! - clock.wallMs();
    assert.ok(heldMs > 90_000 && heldMs < 120_000, `held for ${heldMs}`);
    await clock.advance(heldMs - 1000);
    assert.equal(events.at(-1)?.outcome, 'critical');
    await clock.advance(2000);
    const freed = events.at(-1)!;
    assert.deepEqual([freed.outcome, freed.damping?.suppressed], ['passing', false]);
    await clock.advance(600_000);
    assert.equal(events.at(-1)?.damping, undefined, 'forgotten at last');
  });

  it('says nothing of a check that never fell, was critical from the start, or only warns', async () => {
    for (const outcome of ['passing', 'critical', 'warning'] as const) {
      const { clock, checker, events, watch } = setUp({ damping });
      checker.outcome = outcome;
      watch(tcp());
      await clock.advance(10_000);
      assert.ok(events.length > 5 && events.every((event) => event.damping === undefined), outcome);
    }
  });

  it('does not deregister an instance for being held', async () => {
    const { clock, deregistered, events } = await flap(4, { deregisterAfterMs: 10_000 });
    await clock.advance(60_000);
    assert.equal(events.at(-1)?.outcome, 'critical');
    assert.deepEqual(deregistered, []);
  });

  it('leaves heartbeats alone', async () => {
    const { events, monitor, watch } = setUp({ damping });
    watch(beat());
    for (let i = 0; i < 50; i++) monitor.heartbeat('cart-1', { status: i % 2 === 0 ? 'critical' : 'passing' });
    assert.equal(events.at(-1)?.outcome, 'passing');
    assert.ok(
      events.every((event) => event.damping === undefined),
      'no word of damping',
    );
  });

  it('by default leaves alone what is stopped and started five times in a minute', async () => {
    const { clock, checker, events, watch } = setUp();
    watch(tcp({ rise: 2, fall: 2 }));
    for (let i = 0; i < 5; i++) {
      checker.outcome = 'critical';
      await clock.advance(6000);
      checker.outcome = 'passing';
      await clock.advance(6000);
      assert.equal(events.at(-1)?.outcome, 'passing', `round ${i}`);
    }
  });
});

describe('monitor: failing', () => {
  it('is said while critical results have not reached fall, and not otherwise', async () => {
    const { clock, checker, events, watch } = setUp();
    watch(tcp({ rise: 2, fall: 3 }));
    await clock.advance(500);
    for (const outcome of ['critical', 'passing', 'warning', 'critical', 'critical', 'critical', 'passing'] as const) {
      checker.outcome = outcome;
      await clock.advance(1000);
    }
    assert.equal(events.map((event) => (event.failing ? 'F' : '-')).join(''), '-F--FF--');
  });
});

describe('monitor: heartbeats in a stall of ours', () => {
  it('silence counts only when what was sent meanwhile has been read', async () => {
    for (const comes of [true, false]) {
      const { clock, events, monitor, watch } = setUp();
      watch(beat({ deregisterAfterMs: 60_000 }));
      await clock.advance(2000);
      clock.stall(5000);
      await clock.advance(100);
      assert.equal(events.length, 0);
      if (comes) monitor.heartbeat('cart-1', {});
      await clock.advance(2890);
      assert.equal(events.length, comes ? 1 : 0, 'nothing but the heartbeat');
      await clock.advance(120);
      assert.deepEqual(
        events.map((event) => event.outcome),
        comes ? ['passing', 'critical'] : ['critical'],
      );
    }
  });
});

describe('monitor: heartbeats', () => {
  it('silence for an interval is critical, a heartbeat mends it, both at once', async () => {
    const { clock, events, monitor, watch } = setUp();
    watch(beat({ rise: 2, fall: 3 }));
    await clock.advance(2999);
    assert.equal(events.length, 0);
    await clock.advance(1);
    assert.deepEqual([events[0]?.outcome, events[0]?.result.output], ['critical', 'no heartbeat within 3s']);
    assert.equal(monitor.heartbeat('cart-1', { output: 'back' }), 1);
    assert.deepEqual([events[1]?.outcome, events[1]?.result.output, events[1]?.first], ['passing', 'back', false]);
    await clock.advance(3000);
    assert.equal(events[2]?.result.output, 'no heartbeat within 3s; the last one said: back');
    await clock.advance(60_000);
    assert.equal(events.length, 3, 'silence is told once');
  });

  it('heartbeats in time keep it passing', async () => {
    const { clock, outcomes, monitor, watch } = setUp();
    watch(beat());
    for (let i = 0; i < 5; i++) {
      await clock.advance(2900);
      monitor.heartbeat('cart-1', {});
    }
    assert.equal(outcomes(), 'ppppp');
  });

  it('carries a status, to the heartbeat checks of that instance only', async () => {
    const { clock, events, monitor } = setUp();
    const checks = [beat({ id: 'one' }), tcp({ id: 'two' }), beat({ id: 'three' })];
    const targetsOf = (instanceId: string) => checks.map((check) => probeTarget(check, { instanceId }));
    for (const id of ['a', 'b']) monitor.watch(id, targetsOf(id), { restored: {}, spread: false });
    await clock.advance(100);
    events.length = 0;
    assert.equal(monitor.heartbeat('a', { status: 'warning' }), 2);
    assert.equal(monitor.heartbeat('unknown', {}), 0);
    assert.deepEqual(
      events.map((event) => `${event.instanceId}/${event.checkId} ${event.outcome}`),
      ['a/one warning', 'a/three warning'],
    );
  });

  it('output is bounded', () => {
    const { events, monitor, watch } = setUp();
    watch(beat());
    monitor.heartbeat('cart-1', { output: '\u00e4'.repeat(10_000) });
    assert.ok(Buffer.byteLength(events[0]!.result.output) <= 4096, 'at most 4 KiB');
  });

  it('a restored one has an interval to be heard of', async () => {
    const { clock, events, watch } = setUp();
    watch(beat(), { 'check-1': 'passing' });
    await clock.advance(2999);
    assert.equal(events.length, 0);
    await clock.advance(1);
    assert.deepEqual([events[0]?.outcome, events[0]?.changed], ['critical', true]);
  });
});

describe('monitor: deregistration', () => {
  it('is asked for after so long in critical, and again as long as that lasts', async () => {
    const { clock, checker, deregistered, watch } = setUp();
    watch(tcp({ fall: 2, deregisterAfterMs: 10_000 }));
    await clock.advance(500);
    checker.outcome = 'critical';
    await clock.advance(31_500);
    assert.deepEqual(deregistered, ['cart-1/check-1@12000', 'cart-1/check-1@22000', 'cart-1/check-1@32000']);
  });

  it('the time starts anew with each spell', async () => {
    const { clock, checker, deregistered, watch } = setUp();
    watch(tcp({ fall: 1, rise: 1, deregisterAfterMs: 5000 }));
    for (let i = 0; i < 4; i++) {
      checker.outcome = 'critical';
      await clock.advance(4000);
      checker.outcome = 'warning';
      await clock.advance(1500);
    }
    assert.deepEqual(deregistered, []);
  });

  it('runs from the start for a check that was or starts critical', async () => {
    for (const [check, restored] of [
      [beat({ intervalMs: 60_000, deregisterAfterMs: 5000, initial: 'critical' }), {}],
      [beat({ intervalMs: 60_000, deregisterAfterMs: 5000 }), { 'check-1': 'critical' }],
    ] as const) {
      const { clock, deregistered, watch } = setUp();
      watch(check, restored);
      await clock.advance(10_000);
      assert.deepEqual(deregistered, ['cart-1/check-1@5000', 'cart-1/check-1@10000']);
    }
  });
});

describe('monitor: checkers and callbacks that misbehave', () => {
  const broken: readonly (readonly [string, () => Promise<ProbeResult>, RegExp])[] = [
    ['rejects', () => Promise.reject(new Error('broken')), /^broken$/],
    [
      'throws',
      () => {
        throw new Error('broken at once');
      },
      /^broken at once$/,
    ],
    ['never settles', () => new Promise(() => {}), /^the probe did not end within 500ms$/],
  ];
  for (const [title, probe, output] of broken) {
    it(`a checker that ${title} is critical, and the next probe comes`, async () => {
      const { clock, events, monitor, watch } = setUp({
        checkers: { tcp: { probe, close: async () => {} } },
        concurrency: 1,
      });
      watch(tcp());
      await clock.advance(2500);
      assert.deepEqual(
        events.slice(0, 2).map((event) => event.outcome),
        ['critical', 'critical'],
      );
      assert.match(events[0]!.result.output, output);
      monitor.stop();
    });
  }

  it('a type without a checker is critical and says so', async () => {
    const { clock, events, watch } = setUp({ checkers: { exec: undefined } });
    watch(checkSpec('exec', { args: ['/bin/true'] }));
    await clock.advance(0);
    assert.equal(events[0]?.result.output, 'exec checks are not available on this server');
  });

  it('a callback that throws stops nothing', async () => {
    let calls = 0;
    const { clock, watch } = setUp({
      onResult: () => {
        calls++;
        throw new Error('broken');
      },
    });
    watch(tcp());
    await clock.advance(2500);
    assert.equal(calls, 3);
  });
});
