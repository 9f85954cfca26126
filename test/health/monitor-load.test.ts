// monitor-load.test.ts -- many checks: limits, fairness, and how evenly probes are spread over time

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { probeTarget } from '../support/probe-target.ts';
import { type ScriptedChecker, watchedMonitor as setUp, tcp } from '../support/watched-monitor.ts';

describe('monitor: load', () => {
  it('holds to its concurrency, first come, first served', async () => {
    const { clock, checker, monitor } = setUp({ concurrency: 3, perHost: 3 });
    checker.tookMs = 100;
    const names = Array.from({ length: 10 }, (_, i) => `i${i}`);
    for (const id of names) {
      monitor.watch(id, [probeTarget(tcp(), { instanceId: id })], { restored: {}, spread: false });
    }
    assert.deepEqual(monitor.load, { running: 3, waiting: 7 });
    monitor.unwatch('i5');
    await clock.advance(900);
    assert.equal(checker.mostRunning, 3);
    assert.deepEqual(
      checker.probes.map((probe) => probe.key),
      names.filter((id) => id !== 'i5').map((id) => `${id}/check-1`),
    );
  });

  it('10,000 checks loaded at once are spread over the interval, and cheap', async () => {
    const { clock, checker, monitor } = setUp({ jitter: 0.1 });
    for (let i = 0; i < 10_000; i++) {
      const target = probeTarget(tcp({ intervalMs: 10_000 }), { instanceId: `i${i}` });
      monitor.watch(target.instanceId, [target], { restored: {}, spread: true });
    }
    const cpuBefore = process.cpuUsage();
    await clock.advance(30_000);
    const cpu = process.cpuUsage(cpuBefore);
    const perSecond = new Array<number>(30).fill(0);
    for (const { atMs } of checker.probes) perSecond[Math.min(29, Math.floor(atMs / 1000))]!++;
    const mean = checker.probes.length / 30;
    assert.ok(Math.abs(mean - 1000) < 50, `mean ${mean}`);
    assert.ok(Math.max(...perSecond) / mean <= 3, `peak ${Math.max(...perSecond)}, mean ${mean}`);
    assert.ok(cpu.user + cpu.system < 10_000_000, `${cpu.user + cpu.system} us`);
  });
});

/** The most probes in a second, as a multiple of the mean, between two moments (in whole seconds). */
function peakToMean(checker: ScriptedChecker, fromSeconds: number, toSeconds: number): number {
  const perSecond = new Array<number>(toSeconds - fromSeconds).fill(0);
  for (const { atMs } of checker.probes) {
    const second = Math.floor(atMs / 1000) - fromSeconds;
    if (second >= 0 && second < perSecond.length) perSecond[second]!++;
  }
  return Math.max(...perSecond) / (perSecond.reduce((sum, each) => sum + each) / perSecond.length);
}

describe('monitor: 10,000 checks every 10 s, peak to mean of probes a second', () => {
  const COUNT = 10_000;
  const targetOf = (i: number) => probeTarget(tcp({ intervalMs: 10_000 }), { instanceId: `i${i}` });

  it('after a load at once, without anybody asking for it to be spread', async () => {
    const { clock, checker, monitor } = setUp({ jitter: 0.1 });
    for (let i = 0; i < COUNT; i++) monitor.watch(`i${i}`, [targetOf(i)], { restored: {}, spread: false });
    assert.equal(checker.probes.length, 100, 'the first ones are probed at once');
    await clock.advance(40_000);
    assert.equal(new Set(checker.probes.map(({ key }) => key)).size, COUNT);
    const ratio = peakToMean(checker, 0, 40);
    assert.ok(ratio <= 1.5, `${ratio}`);
  });

  it('after a load that takes five seconds', async () => {
    const { clock, checker, monitor } = setUp({ jitter: 0.1 });
    for (let i = 0; i < COUNT; i++) {
      monitor.watch(`i${i}`, [targetOf(i)], { restored: {}, spread: false });
      if (i % 20 === 0) await clock.advance(10);
    }
    await clock.advance(35_000);
    const ratio = peakToMean(checker, 0, 40);
    assert.ok(ratio <= 3, `${ratio}`);
  });

  it('after a restart', async () => {
    const { clock, checker, monitor } = setUp({ jitter: 0.1 });
    for (let i = 0; i < COUNT; i++) {
      monitor.watch(`i${i}`, [targetOf(i)], { restored: { 'check-1': 'passing' }, spread: true });
    }
    assert.equal(checker.probes.length, 0);
    await clock.advance(40_000);
    const ratio = peakToMean(checker, 0, 40);
    assert.ok(ratio <= 1.5, `${ratio}`);
  });

  for (const stallMs of [300, 2000, 10_000, 60_000]) {
    it(`after a stall of ${stallMs} ms`, async () => {
      const { clock, checker, monitor } = setUp({ jitter: 0.1 });
      for (let i = 0; i < COUNT; i++) monitor.watch(`i${i}`, [targetOf(i)], { restored: {}, spread: true });
      await clock.advance(20_000);
      clock.stall(stallMs);
      const before = checker.probes.length;
      await clock.advance(0);
      assert.ok(checker.probes.length - before <= 1000, 'nothing bursts');
      await clock.advance(40_000);
      const fromSeconds = Math.floor((20_000 + stallMs) / 1000);
      const ratio = peakToMean(checker, fromSeconds, fromSeconds + 40);
      assert.ok(ratio <= 2.5, `${ratio}`);
      const since = new Set(checker.probes.slice(before).map(({ key }) => key));
      assert.equal(since.size, COUNT, 'nobody is forgotten');
      monitor.stop();
    });
  }

  it('and a single registration beside them is probed at once', async () => {
    const { clock, checker, monitor } = setUp({ jitter: 0.1 });
    for (let i = 0; i < COUNT; i++) monitor.watch(`i${i}`, [targetOf(i)], { restored: {}, spread: false });
    await clock.advance(2000);
    monitor.watch('new', [probeTarget(tcp(), { instanceId: 'new' })], { restored: {}, spread: false });
    assert.equal(checker.probes.at(-1)?.key, 'new/check-1');
  });
});

describe('monitor: a slow host', () => {
  it('does not keep others waiting', async () => {
    const { clock, checker, monitor } = setUp({ concurrency: 20, perHost: 5 });
    checker.tookMs = 400;
    for (let i = 0; i < 60; i++) {
      const check = tcp({ host: i < 50 ? 'slow.example' : `10.0.0.${i}` });
      monitor.watch(`i${i}`, [probeTarget(check, { instanceId: `i${i}` })], { restored: {}, spread: false });
    }
    assert.deepEqual(monitor.load, { running: 15, waiting: 45 });
    await clock.advance(4000);
    assert.equal(new Set(checker.probes.map(({ key }) => key)).size, 60);
    assert.ok(checker.mostRunning <= 20, `${checker.mostRunning} at a time`);
  });
});
