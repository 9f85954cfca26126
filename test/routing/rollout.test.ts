// rollout.test.ts -- the steps of a progressive canary: a truth table, and what holds on every way through it

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Status } from '../../src/registry/instance.ts';
import type { Member } from '../../src/registry/member.ts';
import type { Policy } from '../../src/registry/policy.ts';
import type { Rollout, RolloutGuard, RolloutState, RolloutStep } from '../../src/registry/rollout.ts';
import {
  canaryHealth,
  currentRollout,
  firstMove,
  moveByHand,
  nextMove,
  ROLLOUT_ACTIONS,
  routesInForce,
  type Situation,
  whyWaiting,
} from '../../src/routing/rollout.ts';
import { anInstance, refusal } from '../support/registrations.ts';

const STEPS: readonly RolloutStep[] = [
  { route: 0, percent: 1, forMs: 1000 },
  { route: 0, percent: 25, at: '0 9 * * *', forMs: 2000 },
  { route: 0, percent: 100, forMs: 3000 },
];
const WELL = { answerable: 4, suspected: 0, unhealthy: 0 };
const ROUTES = [
  { match: { tags: ['canary'] }, percent: 50 },
  { match: { tags: ['blue'] }, percent: 7 },
];

function situation(parts: Partial<Situation> = {}): Situation {
  return { stoodMs: 10_000, isTime: true, canary: WELL, ...parts };
}

function place(state: RolloutState, step: number): Rollout {
  return { plan: 'p', state, step, percent: STEPS[step]?.percent ?? 0, sinceMs: 1, stoodMs: 0, reason: '' };
}

describe('a rollout', () => {
  // [what, state, step, situation, state and step after it; undefined: it stays]
  const cases: [string, RolloutState, number, Partial<Situation>, string | undefined][] = [
    ['time has not passed', 'running', 0, { stoodMs: 999 }, undefined],
    ['time has passed, and it is the time', 'running', 0, { stoodMs: 1000 }, 'running 1 25'],
    ['time has passed, and it is not the time', 'running', 0, { isTime: false }, undefined],
    ['it is the time, and time has not passed', 'running', 0, { stoodMs: 0 }, undefined],
    ['the next has no time of its own', 'running', 1, { isTime: false }, 'running 2 100'],
    ['the last has not lasted', 'running', 2, { stoodMs: 2999 }, undefined],
    ['the last has lasted', 'running', 2, { isTime: false }, 'done 2 100'],
    ['nobody is answerable', 'running', 1, { canary: { answerable: 0, suspected: 0, unhealthy: 0 } }, undefined],
    ['below the mark', 'running', 1, { canary: { answerable: 9, suspected: 0, unhealthy: 1 } }, 'running 2 100'],
    ['suspects reach the mark', 'running', 1, { canary: { answerable: 10, suspected: 2, unhealthy: 0 } }, undefined],
    ['the mark is reached', 'running', 1, { canary: { answerable: 8, suspected: 0, unhealthy: 2 } }, 'rolled-back 1 0'],
    ['all fail', 'running', 0, { canary: { answerable: 0, suspected: 0, unhealthy: 1 } }, 'rolled-back 0 0'],
    [
      'the mark is reached, before time',
      'running',
      1,
      { stoodMs: 0, canary: { ...WELL, unhealthy: 4 } },
      'rolled-back 1 0',
    ],
    ['paused', 'paused', 1, {}, undefined],
    ['paused, and the mark is reached', 'paused', 1, { canary: { ...WELL, unhealthy: 4 } }, 'rolled-back 1 0'],
    ['done', 'done', 2, { canary: { ...WELL, unhealthy: 4 } }, undefined],
    ['rolled back', 'rolled-back', 1, {}, undefined],
  ];
  for (const [what, state, step, parts, expected] of cases) {
    it(`${state} at step ${step}: ${what}`, () => {
      const move = nextMove(STEPS, undefined, place(state, step), situation(parts));
      assert.equal(move && `${move.state} ${move.step} ${move.percent}`, expected);
    });
  }

  it('waits for the time of its first step, and is not taken back from there', () => {
    const steps: RolloutStep[] = [{ route: 0, percent: 5, at: '0 9 * * *' }];
    const { state, step, percent } = firstMove(steps);
    assert.deepEqual([state, step, percent], ['running', -1, 0]);
    const start = place('running', -1);
    assert.equal(nextMove(steps, undefined, start, situation({ canary: { ...WELL, unhealthy: 9 } })), undefined);
    assert.equal(nextMove(steps, undefined, start, situation({ isTime: false })), undefined);
    // The last step without a `for` is the end.
    assert.equal(nextMove(steps, undefined, start, situation())?.state, 'done');
  });

  it('goes by the mark that is stated', () => {
    const halfFails = situation({ canary: { answerable: 1, suspected: 0, unhealthy: 1 } });
    const oneFails = situation({ canary: { answerable: 999, suspected: 0, unhealthy: 1 } });
    const stateAt = (failing: number, now: Situation) => nextMove(STEPS, { failing }, place('running', 1), now)?.state;
    assert.deepEqual([stateAt(0.51, halfFails), stateAt(0.5, halfFails)], ['running', 'rolled-back']);
    assert.deepEqual([stateAt(0, oneFails), stateAt(0, situation())], ['rolled-back', 'running']);
  });

  describe('with a guard on errors', () => {
    const tally = (requests: number, errors: number) => ({ requests, errors });
    const NONE = tally(0, 0);
    // [what, whole step, of late, guard, is it taken back]
    const rows: [string, Situation['traffic'], RolloutGuard | undefined, string | undefined][] = [
      ['nobody counts', undefined, { errors: 0 }, undefined],
      ['no requests', { whole: NONE, late: NONE }, { errors: 0 }, undefined],
      ['requests do not matter', { whole: tally(1000, 1000), late: NONE }, { failing: 1 }, undefined],
      ['no guard', { whole: tally(1000, 1000), late: NONE }, undefined, undefined],
      ['too few', { whole: tally(99, 99), late: tally(99, 99) }, { errors: 0.05 }, undefined],
      ['below the mark', { whole: tally(100, 4), late: tally(100, 4) }, { errors: 0.05 }, undefined],
      ['at the mark', { whole: tally(100, 5), late: NONE }, { errors: 0.05 }, '5 of 100'],
      ['of late', { whole: tally(9999, 100), late: tally(200, 100) }, { errors: 0.05 }, '100 of 200'],
      ['as few as it says', { whole: tally(3, 1), late: NONE }, { errors: 0.05, minRequests: 3 }, '1 of 3'],
      ['the first one', { whole: tally(5000, 1), late: NONE }, { errors: 0 }, '1 of 5000'],
      ['none failed, and none may', { whole: tally(5000, 0), late: NONE }, { errors: 0 }, undefined],
      ['not all', { whole: tally(100, 99), late: NONE }, { errors: 1 }, undefined],
      ['all', { whole: tally(100, 100), late: NONE }, { errors: 1 }, '100 of 100'],
    ];
    for (const [what, traffic, guard, expected] of rows) {
      it(`${what}: ${expected === undefined ? 'stays' : 'is taken back'}`, () => {
        for (const state of ['running', 'paused'] as const) {
          const move = nextMove(STEPS, guard, place(state, 1), situation({ stoodMs: 0, traffic }));
          const reason = expected && `${expected} requests to the canary failed, at step 2`;
          assert.deepEqual(
            [move?.state, move?.percent, move?.reason],
            reason ? ['rolled-back', 0, reason] : [undefined, undefined, undefined],
          );
        }
        assert.equal(nextMove(STEPS, guard, place('done', 2), situation({ traffic })), undefined);
        assert.notEqual(nextMove(STEPS, guard, place('running', -1), situation({ traffic }))?.state, 'rolled-back');
      });
    }
  });

  it('says what it waits for', () => {
    const why = (step: number, parts: Partial<Situation>) =>
      whyWaiting(STEPS, undefined, place('running', step), situation(parts));
    assert.equal(why(1, { stoodMs: 500 }), '2s more at this step');
    assert.equal(why(1, { stoodMs: 1500 }), '500ms more at this step');
    assert.equal(why(0, { isTime: false }), 'the time of step 2: 0 9 * * *');
    assert.equal(why(1, { canary: { ...WELL, answerable: 0 } }), 'no canary instance is answerable');
    assert.equal(why(1, { canary: { ...WELL, suspected: 4 } }), 'canary instances fail');
    assert.equal(whyWaiting(STEPS, undefined, place('done', 2), situation()), undefined);
  });

  it('never skips a step, never leaves an end by itself, and has the percent of its place', () => {
    const health = fc.record({ answerable: fc.nat(5), suspected: fc.nat(2), unhealthy: fc.nat(3) });
    const now = fc.record({ stoodMs: fc.nat(4000), isTime: fc.boolean(), canary: health });
    fc.assert(
      fc.property(fc.array(now, { maxLength: 30 }), fc.double({ min: 0, max: 1, noNaN: true }), (nows, failing) => {
        let at: Pick<Rollout, 'state' | 'step'> = firstMove(STEPS);
        for (const each of nows) {
          const move = nextMove(STEPS, { failing }, at, each);
          if (move === undefined) continue;
          assert.equal(at.state, 'running', 'what is over stays over');
          assert.ok(move.step === at.step || move.step === at.step + 1, 'one step at a time');
          assert.equal(move.percent, move.state === 'rolled-back' ? 0 : STEPS[move.step]!.percent);
          if (move.state !== 'rolled-back') {
            const { answerable, unhealthy } = each.canary;
            assert.ok(answerable > 0, 'somebody is well');
            assert.ok(
              unhealthy === 0 || unhealthy / (answerable + unhealthy) < failing,
              'it goes on only below the mark',
            );
          }
          at = move;
        }
      }),
    );
  });
});

describe('a rollout by hand', () => {
  // By state, what each action makes of step 1.
  const expected: Record<RolloutState, string[]> = {
    running: ['paused 1 25', 'stays', 'running 0 1', 'rolled-back 1 0'],
    paused: ['stays', 'running 1 25', 'running 0 1', 'rolled-back 1 0'],
    'rolled-back': ['rollout_over', 'rollout_over', 'running 0 1', 'stays'],
    done: ['rollout_over', 'rollout_over', 'running 0 1', 'rolled-back 1 0'],
  };
  for (const [state, results] of Object.entries(expected)) {
    for (const [index, action] of ROLLOUT_ACTIONS.entries()) {
      it(`${action} while ${state}: ${results[index]}`, () => {
        const act = () => moveByHand(STEPS, place(state as RolloutState, 1), action);
        if (results[index] === 'rollout_over') assert.equal(refusal(act).code, 'rollout_over');
        else {
          const move = act();
          assert.equal(move === undefined ? 'stays' : `${move.state} ${move.step} ${move.percent}`, results[index]);
        }
      });
    }
  }
});

describe('a rollout that is restarted at a step', () => {
  for (const state of ['running', 'paused', 'rolled-back', 'done'] as const) {
    it(`goes there at once from ${state}, whatever time the step waits for`, () => {
      const to = (step: number) => moveByHand(STEPS, place(state, 1), 'restart', step)!;
      assert.deepEqual([to(1).state, to(1).step, to(1).percent, to(1).stoodMs], ['running', 1, 25, 0]);
      assert.deepEqual([to(2).state, to(2).percent], ['running', 100]);
      assert.equal(refusal(() => to(3)).code, 'invalid');
    });
  }
});

describe('the routes of a service with steps', () => {
  const policy: Policy & { steps: readonly RolloutStep[] } = { routes: ROUTES, steps: STEPS };
  const percents = (rollout: Rollout | undefined, of: Policy = policy) =>
    routesInForce({ policy: of, rollout }).map(({ percent }) => percent);
  const { plan } = currentRollout(policy, undefined);

  it('have the percent of the step, others their own', () => {
    assert.deepEqual(percents(undefined), [1, 7], 'not stored yet');
    assert.deepEqual(percents({ ...place('running', 1), plan }), [25, 7]);
    assert.deepEqual(percents({ ...place('paused', 2), plan }), [100, 7]);
    assert.deepEqual(percents({ ...place('rolled-back', 2), plan }), [0, 7]);
    assert.deepEqual(percents({ ...place('done', 2), plan }), [100, 7]);
  });

  it('begin anew when the steps or those they mean are others', () => {
    const stored = { ...place('done', 2), plan };
    assert.deepEqual(
      percents(stored, { ...policy, maxAnswers: 3, guard: { failing: 0.9 } }),
      [100, 7],
      'something else',
    );
    assert.deepEqual(percents(stored, { ...policy, steps: [...STEPS, { route: 1, percent: 3 }] }), [1, 0]);
    assert.deepEqual(percents(stored, { ...policy, routes: [{ match: { tags: ['next'] } }, ROUTES[1]!] }), [1, 7]);
    const sticky = [{ match: { meta: {}, tags: ['canary'] }, sticky: true }, { match: { tags: ['green'] } }];
    assert.deepEqual(percents(stored, { ...policy, routes: sticky }), [100, undefined], 'the same canary');
  });

  it('have their own without steps', () => {
    assert.deepEqual(percents({ ...place('done', 2), plan }, { routes: ROUTES }), [50, 7]);
    assert.deepEqual(routesInForce({ policy: undefined, rollout: undefined }), []);
  });

  it('may be moved one after the other', () => {
    const both = {
      routes: ROUTES,
      steps: [
        { route: 1, percent: 30, forMs: 1 },
        { route: 0, percent: 40 },
      ],
    };
    const of = currentRollout(both, undefined);
    assert.deepEqual(percents(undefined, both), [0, 30]);
    assert.deepEqual(percents({ ...of, step: 1 }, both), [40, 30]);
  });
});

describe('the health of a canary', () => {
  const member = (id: string, tag: string, status: Status, isFailing = false): Member => ({
    instance: anInstance({ id, tags: [tag] }),
    status,
    isFailing,
  });

  it('is that of the instances behind the route of the step', () => {
    const statuses: Status[] = ['healthy', 'warning', 'unhealthy', 'pending', 'draining', 'maintenance'];
    const members = [
      ...statuses.map((status) => member(status, 'canary', status)),
      member('suspect', 'canary', 'healthy', true),
      member('other', 'blue', 'unhealthy'),
    ];
    const policy: Policy = { routes: ROUTES, steps: [...STEPS, { route: 1, percent: 1 }] };
    assert.deepEqual(canaryHealth(policy, -1, members), { answerable: 3, suspected: 1, unhealthy: 1 });
    assert.deepEqual(canaryHealth(policy, 2, members), { answerable: 3, suspected: 1, unhealthy: 1 });
    assert.deepEqual(canaryHealth(policy, 3, members), { answerable: 0, suspected: 0, unhealthy: 1 });
    assert.deepEqual(canaryHealth({}, 0, members), { answerable: 0, suspected: 0, unhealthy: 0 });
  });
});
