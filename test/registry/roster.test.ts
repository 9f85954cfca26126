// roster.test.ts -- what each kind of news makes of the instances, and what is told of it

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CheckSpec, Outcome } from '../../src/health/check-spec.ts';
import type { Change } from '../../src/registry/change.ts';
import type { CheckState, Instance } from '../../src/registry/instance.ts';
import { Roster } from '../../src/registry/roster.ts';
import type { StoredStatus } from '../../src/registry/stored.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance, aResult } from '../support/registrations.ts';

/** A roster at work, or one that is being restored. */
function setUp(isRestoring = false) {
  const clock = new FakeClock();
  const changes: Change[] = [];
  const roster = new Roster(clock, 100, (change) => changes.push(change));
  if (!isRestoring) roster.endRestoring();
  let revision = 0;
  return {
    clock,
    roster,
    put(parts: Partial<Instance>, isStatic = false): void {
      revision += 1;
      roster.put(anInstance(parts), { revision, registeredAtMs: 1, isStatic });
    },
    restore(id: string, checks: StoredStatus['checks']): void {
      roster.apply({ kind: 'status', id, value: { checks } }, 1);
    },
    hold(id: string, draining: boolean, maintenance: string | null): void {
      const value = draining || maintenance !== null ? { draining, maintenance } : undefined;
      roster.apply({ kind: 'hold', id, value }, 1);
    },
    holdService(name: string, reason: string | undefined): void {
      const value = reason === undefined ? undefined : { draining: false, maintenance: reason };
      roster.apply({ kind: 'hold-service', id: name, value }, 1);
    },
    status: (id = 'a') => roster.instance(id)?.status,
    check: (checkId: string, id = 'a'): CheckState | undefined => roster.instance(id)?.checks[checkId],
    /** `kind id status` of what was told since the last call. */
    told(): string[] {
      return changes
        .splice(0)
        .map(({ kind, service, instance }) => `${kind} ${instance?.instance.id ?? service} ${instance?.status ?? ''}`);
    },
  };
}

describe('the check states of a registration', () => {
  it('begin without an outcome, and keep the instance pending', () => {
    const { put, check, status, clock } = setUp();
    put({ checks: [aCheck()] });
    const none = { outcome: undefined, output: '', latencyMs: undefined, sinceMs: clock.wallMs(), neutral: false };
    assert.deepEqual(check('alive'), none);
    assert.equal(status(), 'pending');
  });
  it('begin with `initial` where it is given', () => {
    for (const [initial, status] of [
      ['passing', 'healthy'],
      ['warning', 'warning'],
      ['critical', 'unhealthy'],
    ] as const) {
      const made = setUp();
      made.put({ checks: [aCheck('alive', { initial })] });
      assert.equal(made.status(), status);
      assert.equal(made.check('alive')?.output, 'initial outcome, no probe yet');
    }
  });
  it('are kept by checks that stay as they are, whatever else changes', async () => {
    const { put, check, roster, clock } = setUp();
    put({ checks: [aCheck('one'), aCheck('two')] });
    roster.applyResult('a', 'one', aResult('passing', 'fine'));
    const before = check('one');
    await clock.advance(1000);
    put({ weight: 5, checks: [aCheck('two'), structuredClone(aCheck('one'))] });
    assert.deepEqual(check('one'), before);
  });
  it('begin anew for checks that change', () => {
    const changed: Partial<CheckSpec>[] = [{ port: 81 }, { intervalMs: 1 }, { fall: 9 }, { initial: 'critical' }];
    for (const parts of changed) {
      const { put, check, roster } = setUp();
      put({ checks: [aCheck()] });
      roster.applyResult('a', 'alive', aResult('passing', 'fine'));
      put({ checks: [aCheck('alive', parts)] });
      assert.equal(check('alive')?.outcome, parts.initial);
    }
  });
  it('are forgotten with their check', () => {
    const { put, check, roster } = setUp();
    put({ checks: [aCheck()] });
    roster.applyResult('a', 'alive', aResult('passing'));
    put({ checks: [] });
    assert.equal(check('alive'), undefined);
    put({ checks: [aCheck()] });
    assert.equal(check('alive')?.outcome, undefined);
  });
  it('of ids that every object has are as good as others', () => {
    const { put, check, roster, status } = setUp();
    put({});
    put({ checks: [aCheck('toString'), aCheck('valueOf')] });
    assert.equal(status(), 'healthy');
    assert.equal(roster.applyResult('a', 'toString', aResult('critical')), true);
    assert.equal(roster.applyResult('a', 'hasOwnProperty', aResult('critical')), false);
    assert.deepEqual([check('toString')?.outcome, check('valueOf')?.neutral], ['critical', true]);
  });
});

describe('a check that is new on a live instance', () => {
  const rows: readonly [name: string, before: Outcome | undefined, neutral: boolean, status: string][] = [
    ['has no say on a healthy one', 'passing', true, 'healthy'],
    ['has no say on one that warns', 'warning', true, 'warning'],
    ['is awaited on a pending one', undefined, false, 'pending'],
    ['does not make a failing one well', 'critical', true, 'unhealthy'],
  ];
  for (const [name, before, neutral, status] of rows) {
    it(name, () => {
      const made = setUp();
      made.put({ checks: [aCheck('one')] });
      if (before !== undefined) made.roster.applyResult('a', 'one', aResult(before));
      made.put({ checks: [aCheck('one'), aCheck('two')] });
      assert.deepEqual([made.check('two')?.neutral, made.status()], [neutral, status]);
    });
  }
  it('decides from its first result on', () => {
    const { put, roster, status, check } = setUp();
    put({});
    put({ checks: [aCheck()] });
    assert.equal(status(), 'healthy');
    roster.applyResult('a', 'alive', aResult('critical'));
    assert.deepEqual([status(), check('alive')?.neutral], ['unhealthy', false]);
  });
  it('that replaces the failing one must pass first', () => {
    const { put, roster, status } = setUp();
    put({ checks: [aCheck()] });
    roster.applyResult('a', 'alive', aResult('critical'));
    put({ port: 81, checks: [aCheck('alive', { port: 81 })] });
    assert.equal(status(), 'pending');
    roster.applyResult('a', 'alive', aResult('passing'));
    assert.equal(status(), 'healthy');
  });
  it('is judged by the checks, not by what is held', () => {
    const { put, hold, status } = setUp();
    put({ checks: [aCheck('one')] });
    hold('a', false, 'new disk');
    put({ checks: [aCheck('one', { port: 81 })] });
    hold('a', false, null);
    assert.equal(status(), 'pending');
  });
  it('stays without a say when it changes again', () => {
    const { put, status } = setUp();
    put({});
    put({ checks: [aCheck()] });
    put({ checks: [aCheck('alive', { port: 81 })] });
    assert.equal(status(), 'healthy');
  });
});

describe('a restart', () => {
  const stored = (outcome: Outcome | null) => ({ outcome, output: 'as it was', sinceMs: 7 });
  it('resumes stored outcomes, `initial` or not, and waits for checks it has nothing of', () => {
    const { restore, put, check, status } = setUp(true);
    restore('a', { one: stored('passing') });
    put({ checks: [aCheck('one', { initial: 'critical' }), aCheck('two')] });
    const known = { outcome: 'passing', output: 'as it was', latencyMs: undefined, sinceMs: 7, neutral: false };
    const resumed = { ...known, isRestored: true };
    assert.deepEqual(check('one'), resumed);
    assert.equal(status(), 'pending');
  });
  it('resumes checks that had no say yet as such', () => {
    const { restore, put, check, status } = setUp(true);
    restore('a', { one: stored('passing'), two: stored(null) });
    put({ checks: [aCheck('one'), aCheck('two')] });
    assert.deepEqual([check('two')?.outcome, check('two')?.neutral, status()], [undefined, true, 'healthy']);
  });
  it('resumes once only: a later instance of the same id begins anew', () => {
    const { restore, put, roster, status } = setUp(true);
    restore('a', { alive: stored('passing') });
    put({ checks: [aCheck()] });
    assert.equal(status(), 'healthy');
    roster.remove('a');
    put({ checks: [aCheck()] });
    assert.equal(status(), 'pending');
  });
  it('leaves outcomes of nobody to nobody, and its own writes are not restored', () => {
    const { restore, put, roster, status } = setUp(true);
    restore('a', { alive: stored('passing') });
    roster.endRestoring();
    put({ checks: [aCheck()] });
    assert.equal(status(), 'pending');
    restore('b', { alive: stored('passing') });
    put({ id: 'b', checks: [aCheck()] });
    assert.equal(status('b'), 'pending');
  });
});

describe('results', () => {
  it('change the outcome, and since when it is so', async () => {
    const { put, roster, check, clock, told } = setUp();
    put({ checks: [aCheck()] });
    await clock.advance(500);
    assert.equal(roster.applyResult('a', 'alive', aResult('passing', 'one')), true);
    const sinceMs = clock.wallMs();
    await clock.advance(500);
    assert.equal(roster.applyResult('a', 'alive', { outcome: 'passing', output: 'two', latencyMs: 9 }), false);
    assert.deepEqual(check('alive'), { outcome: 'passing', output: 'two', latencyMs: 9, sinceMs, neutral: false });
    assert.deepEqual(told(), ['register a pending', 'health a healthy']);
  });
  it('of unknown instances and checks change nothing', () => {
    const { put, roster, told } = setUp();
    put({});
    told();
    assert.equal(roster.applyResult('nobody', 'alive', aResult('critical')), false);
    assert.equal(roster.applyResult('a', 'alive', aResult('critical')), false);
    assert.deepEqual(told(), []);
  });
});

describe('what is held', () => {
  it('applies to the instance there is and the one to come', () => {
    const { put, hold, status, told } = setUp();
    hold('a', true, null);
    put({});
    assert.deepEqual([status(), told()], ['draining', ['register a draining']]);
    hold('a', false, 'new disk');
    hold('a', false, null);
    assert.deepEqual(told(), ['health a maintenance', 'health a healthy']);
  });
  it('goes with the instance', () => {
    const { put, hold, roster, status } = setUp();
    put({});
    hold('a', true, 'new disk');
    roster.remove('a');
    put({});
    assert.equal(status(), 'healthy');
  });
  it('stays when an instance is replaced, by one of another service too', () => {
    const { put, hold, status } = setUp();
    put({}, true);
    hold('a', true, null);
    put({ weight: 2 }, true);
    assert.equal(status(), 'draining');
    put({ service: 'mail' }, true);
    assert.equal(status(), 'draining');
  });
  it('of a service concerns every instance it has or will have, beside their own', () => {
    const { put, hold, holdService, roster, status, told } = setUp();
    holdService('web', 'move');
    assert.equal(roster.service('web'), undefined);
    put({});
    put({ id: 'b' });
    hold('b', false, 'own');
    assert.deepEqual([roster.instance('a')?.reason, roster.instance('b')?.reason], ['move', 'own']);
    told();
    holdService('web', undefined);
    assert.deepEqual([status('a'), status('b')], ['healthy', 'maintenance']);
    assert.deepEqual(told(), ['health a healthy', 'health b maintenance']);
    assert.deepEqual(roster.holdOf('b').hold, { draining: false, maintenance: 'own' });
  });
});

describe('services', () => {
  it('are known while they have an instance or a policy', () => {
    const { put, roster } = setUp();
    const names = () => [...roster.services()].map(({ name }) => name);
    put({});
    roster.apply({ kind: 'policy', id: 'mail', value: { maxAnswers: 1 } }, 9);
    assert.deepEqual(names(), ['web', 'mail']);
    assert.deepEqual([roster.service('mail')?.policyRevision, roster.service('mail')?.instances.size], [9, 0]);
    roster.remove('a');
    assert.deepEqual(names(), ['mail']);
    roster.apply({ kind: 'policy', id: 'mail', value: undefined }, 10);
    assert.deepEqual([names(), roster.serviceCount], [[], 0]);
  });
  it('remember maintenance while they are unknown', () => {
    const { put, holdService, roster, status } = setUp();
    put({});
    holdService('web', 'move');
    roster.remove('a');
    assert.equal(roster.service('web'), undefined);
    put({});
    assert.equal(status(), 'maintenance');
    roster.remove('a');
    holdService('web', undefined);
    assert.equal(roster.serviceCount, 0);
  });
  it('have the index of the last change that concerned them', () => {
    const { put, roster } = setUp();
    assert.equal(roster.sequence, 100);
    put({ checks: [aCheck()] });
    put({ id: 'm', service: 'mail' });
    roster.applyResult('a', 'alive', aResult('passing'));
    roster.applyResult('a', 'alive', aResult('passing'));
    roster.apply({ kind: 'policy', id: 'web', value: {} }, 9);
    assert.deepEqual([roster.service('web')?.index, roster.service('mail')?.index], [104, 102]);
    assert.equal(roster.sequence, 104);
  });
  it('list their instances, and an instance that moves is in one of them', () => {
    const { put, roster, told } = setUp();
    put({});
    put({ id: 'b' });
    put({ service: 'mail' });
    assert.deepEqual(told(), [
      'register a healthy',
      'register b healthy',
      'deregister a healthy',
      'register a healthy',
    ]);
    assert.deepEqual([...roster.service('web')!.instances.keys()], ['b']);
    assert.deepEqual([...roster.service('mail')!.instances.keys()], ['a']);
    assert.equal(roster.instanceCount, 2);
  });
  it('show the instance that roster.instance shows', () => {
    const { put, roster } = setUp();
    put({ checks: [aCheck()] });
    roster.applyResult('a', 'alive', aResult('warning'));
    roster.renew('a', 5, { connections: 1 });
    assert.equal(roster.service('web')?.instances.get('a'), roster.instance('a'));
  });
});

describe('leases and load', () => {
  it('an expired lease is out of the answers until it is renewed', () => {
    const { put, roster, status, told } = setUp();
    put({});
    roster.renew('a', 5000, { cpu: 0.5 });
    roster.expireLease('a');
    assert.deepEqual([status(), roster.isLeaseExpired('a')], ['unhealthy', true]);
    roster.renew('a', 9000, undefined);
    assert.deepEqual([status(), roster.isLeaseExpired('a')], ['healthy', false]);
    assert.deepEqual(told(), ['register a healthy', 'health a unhealthy', 'health a healthy']);
    const state = roster.instance('a')!;
    assert.deepEqual([state.leaseExpiresAtMs, state.load], [9000, { cpu: 0.5 }]);
  });
  it('of nobody change nothing', () => {
    const { roster, told } = setUp();
    roster.expireLease('a');
    roster.renew('a', 1, undefined);
    roster.remove('a');
    assert.deepEqual([told(), roster.isLeaseExpired('a')], [[], false]);
  });
});
