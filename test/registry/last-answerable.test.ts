// last-answerable.test.ts -- the registry remembers when an instance was last answerable, and says when one fails

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import type { CheckReport } from '../../src/health/check-report.ts';
import type { Outcome } from '../../src/health/check-spec.ts';
import type { Change } from '../../src/registry/change.ts';
import { Registry } from '../../src/registry/registry.ts';
import { answerableOf } from '../../src/routing/answerable.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance, aResult } from '../support/registrations.ts';

async function setUp(...ids: readonly string[]) {
  const clock = new FakeClock(1000);
  const store = openMemoryStore();
  const open = () => Registry.open({ store, clock, log: silentLogger });
  const registry = await open();
  for (const id of ids) await registry.register(anInstance({ id, checks: [aCheck()] }));
  const report = (id: string, outcome: Outcome, more: Partial<CheckReport> = {}) =>
    registry.reportResult(id, 'alive', { ...aResult(outcome), ...more });
  const lastKnown = (of: Registry = registry) =>
    answerableOf([...of.service('web')!.instances.values()], { whenAllUnhealthy: 'last-known' })
      .map(({ instance }) => instance.id)
      .join(' ');
  return { clock, registry, open, report, lastKnown, endOf: (id: string) => registry.instance(id)?.lastAnswerableMs };
}

describe('last answerable', () => {
  it('is nothing for one that is, or never was', async () => {
    const { report, endOf } = await setUp('a', 'b', 'c');
    report('a', 'passing');
    report('b', 'critical');
    assert.deepEqual([endOf('a'), endOf('b'), endOf('c')], [undefined, undefined, undefined]);
  });

  it('is when that ended, for whatever reason, until it is so again', async () => {
    const { clock, registry, report, endOf } = await setUp('a', 'b');
    report('a', 'passing');
    report('b', 'warning');
    await clock.advance(500);
    report('a', 'critical');
    await registry.setDraining('b', true);
    assert.deepEqual([endOf('a'), endOf('b')], [1500, 1501], 'never the same for two');
    await clock.advance(500);
    report('a', 'critical');
    report('b', 'critical');
    await registry.setDraining('b', false);
    await registry.register(anInstance({ id: 'a', weight: 5, checks: [aCheck()] }));
    assert.deepEqual([endOf('a'), endOf('b')], [1500, 1501]);
    report('a', 'passing');
    assert.equal(endOf('a'), undefined);
  });

  it('is later for what ends later, though the wall clock goes back', async () => {
    const { clock, report, endOf, lastKnown } = await setUp('a', 'b');
    for (const id of ['a', 'b']) report(id, 'passing');
    report('a', 'critical');
    clock.jumpWall(-3_600_000);
    report('b', 'critical');
    assert.ok(endOf('b')! > endOf('a')!, `${endOf('a')} ${endOf('b')}`);
    assert.equal(lastKnown(), 'b');
  });

  it('outlives a restart', async () => {
    const { clock, registry, open, report, lastKnown } = await setUp('a', 'b', 'c');
    for (const id of ['a', 'b']) report(id, 'passing');
    for (const id of ['b', 'a', 'c']) {
      await clock.advance(100);
      report(id, 'critical');
    }
    assert.equal(lastKnown(), 'a');
    await registry.stop();
    const again = await open();
    assert.equal(lastKnown(again), 'a');
    again.reportResult('a', 'alive', aResult('critical'));
    await again.deregister('a');
    assert.equal(lastKnown(again), 'b');
    await again.stop();
  });
});

describe('failing', () => {
  it('is said when it begins and ends, of those that are answered; listeners hear only of outcomes', async () => {
    const { registry, report } = await setUp('a', 'b');
    report('a', 'passing');
    report('b', 'critical');
    const changes: Change[] = [];
    registry.onChange((change) => changes.push(change));
    const steps: readonly (readonly [id: string, outcome: Outcome, failing: boolean, said: boolean, told: number])[] = [
      ['a', 'passing', false, false, 0],
      ['a', 'passing', true, true, 0],
      ['a', 'passing', true, false, 0],
      ['a', 'passing', false, true, 0],
      ['a', 'passing', true, true, 0],
      ['a', 'critical', false, false, 1],
      ['b', 'critical', true, false, 0],
    ];
    for (const [id, outcome, failing, said, told] of steps) {
      changes.length = 0;
      assert.equal(report(id, outcome, { failing }), said, `${id} ${outcome} ${failing}`);
      assert.equal(changes.length, told, `${id} ${outcome} ${failing}`);
      assert.equal(registry.instance(id)?.isFailing, failing && id === 'a');
    }
  });

  it('is nothing while the instance is out of the answers anyway', async () => {
    const { registry, report } = await setUp('a');
    report('a', 'passing', { failing: true });
    await registry.setMaintenance('a', 'disk');
    assert.equal(registry.instance('a')?.isFailing, false);
    await registry.setMaintenance('a', undefined);
    assert.equal(registry.instance('a')?.isFailing, true);
  });
});

describe('damping', () => {
  it('is kept with the check, and is the reason when it holds the instance', async () => {
    const { registry, report } = await setUp('a');
    report('a', 'passing', { damping: { penalty: 2, suppressed: false, reuseAtMs: undefined } });
    assert.equal(registry.instance('a')?.checks.alive?.damping?.penalty, 2);
    report('a', 'critical', { damping: { penalty: 12, suppressed: true, reuseAtMs: 99 } });
    const { status, reason } = registry.instance('a')!;
    assert.deepEqual(
      [status, reason],
      ['unhealthy', 'check alive is held critical until it is calm: it changed too often'],
    );
    report('a', 'passing');
    assert.equal(registry.instance('a')?.checks.alive?.damping, undefined);
  });
});
