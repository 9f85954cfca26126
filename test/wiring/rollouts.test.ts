// rollouts.test.ts -- progressive canaries over a registry: steps by time and by cron, rollback, restarts, people

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import type { Change } from '../../src/registry/change.ts';
import type { Policy } from '../../src/registry/policy.ts';
import { Registry } from '../../src/registry/registry.ts';
import { readPolicy } from '../../src/registry/validate-policy.ts';
import { routesInForce } from '../../src/routing/rollout.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { Rollouts } from '../../src/wiring/rollouts.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance, aResult } from '../support/registrations.ts';
import { UnrulyStore } from '../support/unruly-store.ts';

const ROUTES = [{ match: { tags: ['canary'] } }];
const STEPS = [
  { percent: 1, for: '10m' },
  { percent: 5, for: '1h' },
  { percent: 25, at: '0 9 * * *', timezone: 'UTC', for: '2h' },
  { percent: 100, for: '10m' },
];
const MINUTE_MS = 60_000;
const BY = { kind: 'local' } as const;

/** Cron that fires when a test says so. */
class FakeCron {
  readonly waiting = new Map<() => void, string>();

  start = ({ schedule, timezone }: { schedule: string; timezone?: string | undefined }, fire: () => void) => {
    this.waiting.set(fire, `${schedule} ${timezone ?? ''}`.trim());
    return { cancel: () => void this.waiting.delete(fire) };
  };

  fire(): void {
    for (const fire of [...this.waiting.keys()]) fire();
  }
}

async function open(
  store = new UnrulyStore(openMemoryStore()),
  clock = new FakeClock(),
  tallies?: (id: string) => { requests: number; errors: number } | undefined,
) {
  const registry = await Registry.open({ store, clock, log: silentLogger, keepHistory: true });
  const changes: Change[] = [];
  registry.onChange((change) => changes.push(change));
  const cron = new FakeCron();
  const rollouts = new Rollouts({ registry, clock, log: silentLogger, cron: cron.start, tallies });
  const at = () => {
    const { state, step, percent } = rollouts.show('web')!;
    const { policy, rollout } = registry.service('web')!;
    assert.equal(routesInForce({ policy, rollout })[0]!.percent, percent, 'what is shown is what routes go by');
    return `${state} ${step + 1} ${percent}`;
  };
  const policy = (parts: object = {}): Promise<void> =>
    registry.setPolicy('web', readPolicy({ routes: ROUTES, steps: STEPS, ...parts }) as Policy);
  const result = (id: string, outcome: 'passing' | 'critical') => registry.reportResult(id, 'alive', aResult(outcome));
  const register = async (...ids: string[]): Promise<void> => {
    for (const id of ids) {
      await registry.register(anInstance({ id, tags: ['canary'], checks: [aCheck()] }));
      result(id, 'passing');
    }
  };
  const history = () =>
    (registry.history('web', 100) ?? [])
      .filter(({ rollout }) => rollout !== undefined)
      .map(({ by, reason }) => `${by?.kind}: ${reason}`)
      .reverse();
  const close = async (): Promise<void> => {
    await rollouts.stop();
    await registry.stop();
  };
  return { registry, clock, store, changes, cron, rollouts, at, policy, result, register, history, close };
}

describe('a progressive canary', () => {
  it('goes through its steps by time and by cron, and every step is in the history', async () => {
    const { clock, cron, at, policy, register, history, close } = await open();
    await register('a', 'b');
    await policy();
    assert.equal(at(), 'running 1 1', 'with the policy');
    await clock.advance(10 * MINUTE_MS - 1000);
    assert.equal(at(), 'running 1 1');
    await clock.advance(2000);
    assert.equal(at(), 'running 2 5');
    assert.deepEqual([...cron.waiting.values()], ['0 9 * * * UTC']);
    cron.fire();
    await clock.advance(1000);
    assert.equal(at(), 'running 2 5', 'before the hour has passed no time is the time');
    await clock.advance(90 * MINUTE_MS);
    assert.equal(at(), 'running 2 5');
    cron.fire();
    await clock.advance(1000);
    assert.equal(at(), 'running 3 25');
    await clock.advance(121 * MINUTE_MS);
    assert.equal(at(), 'running 4 100');
    await clock.advance(11 * MINUTE_MS);
    assert.equal(at(), 'done 4 100');
    assert.deepEqual(history(), [
      'steps: step 1 of 4: 1 %',
      'steps: step 2 of 4: 5 %',
      'steps: step 3 of 4: 25 %',
      'steps: step 4 of 4: 100 %',
      'steps: all steps are done',
    ]);
    await clock.advance(10_000);
    assert.equal(clock.pendingCount, 0, 'nothing is left to wait for');
    await close();
  });

  it('waits while a check of the canary fails, and goes on when it is well again', async () => {
    const { registry, clock, at, policy, register, result, rollouts, close } = await open();
    await register('a');
    await policy();
    await clock.advance(9 * MINUTE_MS);
    // Suspected, which is no change of the registry.
    registry.reportResult('a', 'alive', { ...aResult('passing'), failing: true });
    await clock.advance(10 * MINUTE_MS);
    assert.deepEqual([at(), rollouts.show('web')!.waiting], ['running 1 1', 'canary instances fail']);
    result('a', 'passing');
    await clock.advance(2000);
    assert.equal(at(), 'running 2 5');
    await close();
  });

  it('waits while there is no canary, or none that is answerable', async () => {
    const { registry, clock, at, policy, register, rollouts, close } = await open();
    await policy();
    await clock.advance(30 * MINUTE_MS);
    const { waiting, stoodMs } = rollouts.show('web')!;
    assert.deepEqual([at(), waiting, stoodMs], ['running 1 1', 'no canary instance is answerable', 0]);
    assert.ok(clock.pendingCount <= 1, 'it is not looked at again and again');
    await register('a');
    await registry.setDraining('a', true);
    await clock.advance(MINUTE_MS);
    assert.equal(at(), 'running 1 1');
    await registry.setDraining('a', false);
    await clock.advance(200);
    assert.equal(at(), 'running 1 1');
    await clock.advance(10 * MINUTE_MS);
    assert.equal(at(), 'running 2 5');
    await close();
  });

  it('has its whole first step, however late it comes, and stands still while it is away', async () => {
    const first = await open();
    await first.policy();
    await first.clock.advance(60 * MINUTE_MS);
    await first.close();
    const second = await open(first.store, first.clock);
    await second.clock.advance(60 * MINUTE_MS);
    assert.deepEqual([second.at(), second.rollouts.show('web')!.stoodMs], ['running 1 1', 0]);
    await second.register('a');
    await second.clock.advance(9 * MINUTE_MS);
    assert.equal(second.at(), 'running 1 1');
    await second.registry.setMaintenance('a', 'why');
    await second.clock.advance(30 * MINUTE_MS);
    const { stoodMs, waiting } = second.rollouts.show('web')!;
    assert.equal(waiting, 'no canary instance is answerable');
    assert.ok(stoodMs > 8 * MINUTE_MS && stoodMs <= 9 * MINUTE_MS + 200, `${stoodMs}`);
    await second.close();
    const third = await open(first.store, first.clock);
    await third.clock.advance(30 * MINUTE_MS);
    assert.deepEqual([third.at(), third.rollouts.show('web')!.stoodMs], ['running 1 1', stoodMs]);
    await third.registry.setMaintenance('a', undefined);
    await third.clock.advance(30_000);
    assert.equal(third.at(), 'running 1 1');
    await third.clock.advance(31_000);
    assert.equal(third.at(), 'running 2 5');
    await third.close();
  });

  it('is taken back while nobody is left, and goes on at no step that is over', async () => {
    const { clock, at, policy, register, result, registry, close } = await open();
    await register('a');
    await policy();
    await clock.advance(11 * MINUTE_MS);
    assert.equal(at(), 'running 2 5');
    await registry.deregister('a');
    await clock.advance(600 * MINUTE_MS);
    assert.equal(at(), 'running 2 5');
    await register('b');
    result('b', 'critical');
    await clock.advance(1000);
    assert.equal(at(), 'rolled-back 2 0');
    await close();
  });

  it('is taken back when its failing share reaches the mark, and stays so', async () => {
    const { clock, at, policy, register, result, history, changes, close } = await open();
    await register('a', 'b', 'c', 'd');
    await policy({ guard: { failing: 0.5 } });
    await clock.advance(11 * MINUTE_MS);
    result('a', 'critical');
    await clock.advance(1000);
    assert.equal(at(), 'running 2 5', 'one of four');
    changes.length = 0;
    result('b', 'critical');
    await clock.advance(200);
    assert.equal(at(), 'rolled-back 2 0');
    assert.deepEqual(
      changes.map(({ kind, rollout }) => [kind, rollout?.state]),
      [
        ['health', undefined],
        ['policy', 'rolled-back'],
      ],
    );
    result('a', 'passing');
    result('b', 'passing');
    await clock.advance(24 * 60 * MINUTE_MS);
    assert.equal(at(), 'rolled-back 2 0');
    assert.equal(history().at(-1), 'steps: 2 of 4 canary instances fail, at step 2');
    await close();
  });

  it('waits for the time of its first step with nothing', async () => {
    const { clock, cron, at, policy, register, result, close } = await open();
    await register('a');
    await policy({ steps: [{ percent: 10, at: '0 9 * * *' }] });
    await clock.advance(1000);
    assert.equal(at(), 'running 0 0');
    result('a', 'critical');
    await clock.advance(1000);
    cron.fire();
    await clock.advance(1000);
    assert.equal(at(), 'running 0 0', 'nothing is taken back, and nothing begins');
    result('a', 'passing');
    cron.fire();
    await clock.advance(1000);
    assert.equal(at(), 'done 1 10');
    assert.equal(cron.waiting.size, 0);
    await close();
  });

  it('goes on after a restart from the time it had, without that between', async () => {
    const first = await open();
    await first.register('a');
    await first.policy();
    await first.clock.advance(7 * MINUTE_MS);
    await first.close();
    await first.clock.advance(60 * MINUTE_MS);
    const second = await open(first.store, first.clock);
    assert.deepEqual([second.at(), second.rollouts.show('web')!.stoodMs], ['running 1 1', 7 * MINUTE_MS]);
    await second.clock.advance(3 * MINUTE_MS - 1);
    assert.equal(second.at(), 'running 1 1');
    await second.clock.advance(200);
    assert.equal(second.at(), 'running 2 5');
    await second.close();
  });

  it('loses ten seconds at most when the server is killed', async () => {
    const first = await open();
    await first.register('a');
    await first.policy();
    await first.clock.advance(299_000);
    const sequence = first.registry.sequence;
    await first.clock.advance(10_000);
    assert.equal(first.registry.sequence, sequence, 'that time is stored is no change');
    const second = await open(first.store, first.clock);
    const { stoodMs } = second.rollouts.show('web')!;
    assert.ok(stoodMs >= 299_000 && stoodMs <= 309_000, `${stoodMs}`);
    await second.close();
  });

  it('keeps its ends over a restart', async () => {
    const first = await open();
    await first.register('a');
    await first.policy();
    await first.rollouts.act('web', 'rollback', BY);
    await first.close();
    const second = await open(first.store, first.clock);
    await second.clock.advance(60 * MINUTE_MS);
    assert.equal(second.at(), 'rolled-back 1 0');
    await second.close();
  });

  it('stays where it is when something else of the policy changes, and begins anew with other steps', async () => {
    const { registry, clock, at, policy, register, close } = await open();
    await register('a');
    await policy();
    await clock.advance(11 * MINUTE_MS);
    await policy({ maxAnswers: 2, guard: { failing: 1 } });
    await clock.advance(1000);
    assert.equal(at(), 'running 2 5');
    await policy({ steps: [{ percent: 2, for: '1h' }, { percent: 3 }] });
    assert.equal(at(), 'running 1 2', 'at once');
    await clock.advance(30 * MINUTE_MS);
    assert.equal(at(), 'running 1 2');
    await registry.setPolicy('web', undefined);
    await policy({ steps: [{ percent: 2, for: '1h' }, { percent: 3 }] });
    await clock.advance(31 * MINUTE_MS);
    assert.equal(at(), 'running 1 2', 'a policy that was deleted leaves nothing behind');
    await close();
  });

  it('goes with the policy or its steps, with what is stored of it', async () => {
    const { registry, store, clock, policy, rollouts, register, close } = await open();
    const stored = async () => (await store.load()).records.filter(({ key }) => key.startsWith('rollout/')).length;
    await register('a');
    await policy();
    await clock.advance(1000);
    assert.equal(await stored(), 1);
    await registry.setPolicy('web', { routes: ROUTES });
    await clock.advance(20 * MINUTE_MS);
    assert.deepEqual([await stored(), rollouts.show('web')], [0, undefined]);
    await policy();
    await clock.advance(1000);
    await registry.setPolicy('web', undefined);
    await clock.advance(20 * MINUTE_MS);
    assert.deepEqual([await stored(), rollouts.show('web'), clock.pendingCount], [0, undefined, 0]);
    await close();
  });

  it('does what people ask, and says so', async () => {
    const { registry, clock, at, policy, register, result, rollouts, history, close } = await open();
    await register('a');
    await policy();
    await clock.advance(9 * MINUTE_MS);
    await rollouts.act('web', 'pause', BY);
    await rollouts.act('web', 'pause', BY);
    await clock.advance(60 * MINUTE_MS);
    assert.deepEqual([at(), rollouts.show('web')!.stoodMs], ['paused 1 1', 9 * MINUTE_MS]);
    await rollouts.act('web', 'resume', BY);
    await clock.advance(59_000);
    assert.equal(at(), 'running 1 1', 'what was left is still left');
    await clock.advance(2000);
    assert.equal(at(), 'running 2 5');
    await rollouts.act('web', 'rollback', BY);
    assert.equal(at(), 'rolled-back 2 0', 'when the call returns');
    await assert.rejects(rollouts.act('web', 'resume', BY), { code: 'rollout_over' });
    await rollouts.act('web', 'restart', BY);
    await clock.advance(9 * MINUTE_MS);
    assert.equal(at(), 'running 1 1');
    await rollouts.act('web', 'restart', BY);
    await clock.advance(9 * MINUTE_MS);
    assert.equal(at(), 'running 1 1', 'from the beginning of the step');
    await rollouts.act('web', 'pause', BY);
    result('a', 'critical');
    await clock.advance(1000);
    assert.equal(at(), 'rolled-back 1 0', 'what is paused is guarded');
    await assert.rejects(rollouts.act('none', 'pause', BY), { code: 'unknown_rollout' });
    await registry.setPolicy('plain', {});
    await assert.rejects(rollouts.act('plain', 'restart', BY), { code: 'unknown_rollout' });
    assert.deepEqual(history(), [
      'steps: step 1 of 4: 1 %',
      'local: paused by hand',
      'local: resumed by hand',
      'steps: step 2 of 4: 5 %',
      'local: rolled back by hand',
      'local: step 1 of 4: 1 %',
      'local: step 1 of 4: 1 %',
      'local: paused by hand',
      'steps: 1 of 1 canary instances fail, at step 1',
    ]);
    await close();
  });

  it('goes on from the step that it is restarted with, also over a restart of the server', async () => {
    const first = await open();
    await first.register('a');
    await first.policy();
    await first.rollouts.act('web', 'restart', BY, 2);
    assert.equal(first.at(), 'running 3 25', 'without waiting for its time');
    await first.clock.advance(119 * MINUTE_MS);
    assert.equal(first.at(), 'running 3 25', 'its own time begins anew');
    await first.close();
    const second = await open(first.store, first.clock);
    await second.clock.advance(MINUTE_MS + 1000);
    assert.equal(second.at(), 'running 4 100');
    await assert.rejects(second.rollouts.act('web', 'restart', BY, 4), { code: 'invalid' });
    assert.equal(second.at(), 'running 4 100');
    await second.close();
  });

  it('is taken back as soon as the store can be written again', async () => {
    const { clock, store, at, policy, register, result, close } = await open();
    await register('a');
    await policy();
    await clock.advance(1000);
    store.failing = true;
    result('a', 'critical');
    await clock.advance(5000);
    assert.equal(at(), 'running 1 1');
    store.failing = false;
    await clock.advance(2000);
    assert.equal(at(), 'rolled-back 1 0');
    await close();
  });

  it('of one service is none of another', async () => {
    const { registry, clock, rollouts, register, policy, close } = await open();
    await register('a');
    await policy();
    await registry.setPolicy('other', readPolicy({ routes: ROUTES, steps: [{ percent: 3, for: '1d' }] }));
    await clock.advance(11 * MINUTE_MS);
    assert.deepEqual([rollouts.show('web')!.percent, rollouts.show('other')!.percent], [5, 3]);
    await close();
  });
});

describe('a guard on errors of requests', () => {
  async function guarded(guard: object = { errors: 0.05 }) {
    const totals = new Map<string, { requests: number; errors: number }>();
    const setUp = await open(undefined, undefined, (id) => totals.get(id));
    const send = (id: string, requests: number, errors = 0): void => {
      const total = totals.get(id) ?? { requests: 0, errors: 0 };
      totals.set(id, total);
      total.requests += requests;
      total.errors += errors;
    };
    await setUp.register('a', 'b');
    await setUp.registry.register(anInstance({ id: 'stable' }));
    return { ...setUp, totals, send, guard: () => setUp.policy({ guard }) };
  }

  it('takes the rollout back by what failed since the step began, and only by that of the canary', async () => {
    const { clock, at, send, guard, history, close } = await guarded();
    send('a', 5000, 5000);
    await guard();
    send('stable', 5000, 5000);
    await clock.advance(2000);
    assert.equal(at(), 'running 1 1');
    send('a', 60, 1);
    send('b', 39, 3);
    await clock.advance(2000);
    assert.equal(at(), 'running 1 1', 'too few requests');
    send('b', 1, 1);
    await clock.advance(1000);
    assert.equal(at(), 'rolled-back 1 0');
    assert.equal(history().at(-1), 'steps: 5 of 100 requests to the canary failed, at step 1');
    await close();
  });

  it('begins anew with each step, not with a pause', async () => {
    const { clock, at, send, guard, rollouts, close } = await guarded();
    await guard();
    send('a', 99, 99);
    await clock.advance(10 * MINUTE_MS);
    assert.equal(at(), 'running 2 5');
    send('a', 1, 1);
    await clock.advance(1000);
    assert.equal(at(), 'running 2 5', 'those of the step before are let be');
    send('a', 98, 98);
    await clock.advance(1000);
    await rollouts.act('web', 'pause', BY);
    await clock.advance(1000);
    assert.equal(at(), 'paused 2 5');
    send('a', 1, 1);
    await clock.advance(1000);
    assert.equal(at(), 'rolled-back 2 0');
    await rollouts.act('web', 'restart', BY);
    await clock.advance(2000);
    assert.equal(at(), 'running 1 1');
    send('a', 100, 0);
    await clock.advance(2000);
    assert.equal(at(), 'running 1 1');
    await close();
  });

  it('sees soon what goes wrong late in a step', async () => {
    const { clock, at, send, guard, history, close } = await guarded();
    await guard();
    send('a', 1_000_000);
    await clock.advance(5 * MINUTE_MS);
    send('a', 200, 100);
    await clock.advance(1000);
    assert.equal(at(), 'rolled-back 1 0');
    assert.equal(history().at(-1), 'steps: 100 of 200 requests to the canary failed, at step 1');
    await close();
  });

  it('counts on what instances had that are gone, and those that come', async () => {
    const { registry, clock, at, send, totals, guard, register, close } = await guarded();
    await guard();
    await clock.advance(1000);
    send('a', 50, 3);
    await clock.advance(1000);
    await registry.deregister('a');
    totals.delete('a');
    await register('c');
    await clock.advance(1000);
    send('c', 50, 1);
    await clock.advance(1000);
    assert.equal(at(), 'running 1 1');
    // The gateway begins to count anew.
    totals.set('c', { requests: 1, errors: 1 });
    await clock.advance(1000);
    assert.equal(at(), 'running 1 1', '5 of 101');
    send('c', 0, 1);
    await clock.advance(1000);
    assert.equal(at(), 'rolled-back 1 0');
    await close();
  });

  it('may come into a step, and go', async () => {
    const { clock, at, send, policy, close } = await guarded();
    await policy();
    await clock.advance(1000);
    send('a', 100, 100);
    await clock.advance(2000);
    await policy({ guard: { errors: 0.5, minRequests: 10 } });
    await clock.advance(2000);
    assert.equal(at(), 'running 1 1', 'from then on');
    await policy({ guard: { failing: 0.5 } });
    send('a', 100, 100);
    await clock.advance(2000);
    assert.equal(at(), 'running 1 1');
    await policy({ guard: { errors: 0.5, minRequests: 10 } });
    await clock.advance(1000);
    send('a', 10, 5);
    await clock.advance(1000);
    assert.equal(at(), 'rolled-back 1 0');
    await close();
  });

  it('does nothing where nobody counts', async () => {
    const { clock, at, policy, register, close } = await open();
    await register('a');
    await policy({ guard: { errors: 0 } });
    await clock.advance(10 * MINUTE_MS);
    assert.equal(at(), 'running 2 5');
    await close();
  });
});
