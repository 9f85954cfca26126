// rollout.test.ts -- `rollcall rollout` against a server: what it shows, what it moves, and how watching ends

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { movesTo, type RolloutPlace, readPlace } from '../../src/cli/rollout-place.ts';
import { nextText, type RolloutReply, rolloutText } from '../../src/cli/rollout-text.ts';
import { type ApiServer, openApiServer } from '../support/api-server.ts';
import { runCommand } from '../support/captured-terminal.ts';

const STEPPED = {
  routes: [{ match: { tags: ['canary'] } }],
  steps: [
    { percent: 1, for: '1h' },
    { percent: 25, at: '0 9 * * 1-5', timezone: 'Europe/Berlin', for: '2h' },
    { percent: 100 },
  ],
};

describe('rollcall rollout', () => {
  let server: ApiServer;
  const run = (...argv: string[]) => runCommand(['rollout', ...argv, '--http', server.url]);
  before(async () => {
    server = await openApiServer();
    const { tags } = STEPPED.routes[0]!.match;
    await server.call('PUT', '/v1/services/cart/instances/canary', { address: '10.0.0.9', port: 80, tags });
  });
  after(() => server?.close());
  beforeEach(async () => {
    await server.call('PUT', '/v1/services/cart/policy', {});
    await server.call('PUT', '/v1/services/cart/policy', STEPPED);
  });

  it('shows where it is, why, what comes next, and all steps', async () => {
    const { code, out, err } = await run('cart');
    assert.deepEqual([code, err], [0, '']);
    const [head, why, next, , ...table] = out.split('\n');
    assert.match(head!, /^cart: running, step 1 of 3, 1 %, (just now|since \S+; the step was in force for \S+)$/);
    assert.equal(why, 'why:  step 1 of 3: 1 %');
    assert.match(next!, /^next: (1h|59m\S+) more at this step, then step 2: 25 %$/);
    assert.deepEqual(table, [
      '   STEP  ROUTE  PERCENT  FOR  AT',
      '>  1     0      1 %      1h',
      '   2     0      25 %     2h   0 9 * * 1-5 (Europe/Berlin)',
      '   3     0      100 %',
      '',
    ]);
  });

  it('prints what the API says as JSON', async () => {
    const { out } = await run('cart', '--pause', '--json');
    const { state, step, steps, percent, reason } = JSON.parse(out);
    assert.deepEqual([state, step, steps, percent, reason], ['paused', 1, 3, 1, 'paused by hand']);
  });

  it('moves it', async () => {
    const moves: [argv: string[], head: RegExp, next: string][] = [
      [['--pause'], /paused, step 1 of 3, 1 %/, 'nothing: it stands still until it is resumed'],
      [['--resume'], /running, step 1 of 3, 1 %/, 'more at this step'],
      [['--rollback'], /rolled-back, step 1 of 3, 0 %/, 'nothing: it stays taken back until a restart'],
      [['--restart', '--step', '2'], /running, step 2 of 3, 25 %/, '2h more at this step, then step 3: 100 %'],
      [['--restart', '--step', '3'], /done, step 3 of 3, 100 %/, 'nothing: all steps are done'],
      [['--restart'], /running, step 1 of 3, 1 %/, 'more at this step'],
    ];
    for (const [argv, head, next] of moves) {
      const { code, out, err } = await run('cart', ...argv);
      assert.deepEqual([code, err], [0, ''], argv.join(' '));
      assert.match(out, head);
      assert.ok(out.includes(next), out);
    }
  });

  const refused: [argv: string[], code: number, err: RegExp][] = [
    [['none'], 1, /^unknown_rollout: /],
    [['none', '--pause'], 1, /^unknown_rollout: /],
    [['none', '--watch'], 1, /^unknown_rollout: /],
    [['cart', '--restart', '--step', '4'], 1, /^invalid: .*\n {2}step: there are 3 steps\n$/],
    [['cart', '--restart', '--step', '0'], 2, /must be a whole number from 1 to 32/],
    [['cart', '--pause', '--step', '1'], 2, /^usage: --step goes with --restart only/],
    [['cart', '--pause', '--rollback'], 2, /^usage: --pause and --rollback exclude each other/],
    [['a/../b'], 1, /^invalid: /],
    [[], 2, /missing required argument 'service'/],
  ];
  for (const [argv, code, err] of refused) {
    it(`refuses rollout ${argv.join(' ')}`, async () => {
      const result = await run(...argv);
      assert.deepEqual([result.code, result.out], [code, '']);
      assert.match(result.err, err);
    });
  }

  it('refuses to go on with what is over', async () => {
    await run('cart', '--rollback');
    const { code, err } = await run('cart', '--resume');
    assert.equal(code, 1);
    assert.match(err, /^rollout_over: /);
  });

  it('watches until it is done', async () => {
    let isMoved = false;
    const { code, out } = await runCommand(['rollout', 'cart', '--watch', '--json', '--http', server.url], {
      onOut: () => {
        if (!isMoved) void server.call('POST', '/v1/services/cart/rollout', { action: 'restart', step: 3 });
        isMoved = true;
      },
    });
    assert.equal(code, 0);
    const places = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      places.map(({ state, step }) => `${state} ${step}`),
      ['running 1', 'done 3'],
    );
  });

  it('fails when what it watches is taken back, and shows on a terminal what is waited for', async () => {
    let isMoved = false;
    const { code, out, err } = await runCommand(['rollout', 'cart', '--watch', '--http', server.url], {
      isTerminal: true,
      onOut: () => {
        if (!isMoved) void server.call('POST', '/v1/services/cart/rollout', { action: 'rollback' });
        isMoved = true;
      },
    });
    assert.equal(code, 1);
    assert.deepEqual(
      [out.split('\n').length, /rolled-back, step 1 of 3, 0 %.*rolled back by hand\n$/.test(out)],
      [3, true],
    );
    assert.ok(err.includes('more at this step\r\u001b[K'), err);
    const over = await run('cart', '--watch');
    assert.deepEqual([over.code, over.out.split('\n').length, over.err], [1, 2, '']);
  });

  it('tells when the steps it watches are gone', async () => {
    const { code, err } = await runCommand(['rollout', 'cart', '--watch', '--http', server.url], {
      onOut: () => void server.call('DELETE', '/v1/services/cart/policy'),
    });
    assert.equal(code, 1);
    assert.match(err, /^unknown_rollout: /);
  });
});

describe('a rollout in words', () => {
  const view: RolloutReply = {
    ...{ state: 'running', step: 0, percent: 0, steps: 1, since: null, stood: '0s' },
    ...{ waiting: 'the time of step 1: 0 9 * * *', reason: '' },
  };
  it('says what is before the first step and behind the last', () => {
    assert.equal(rolloutText(view), 'running, before step 1 of 1, 0 %');
    const steps = [{ route: 0, percent: 5 }];
    assert.equal(nextText(view, steps), 'the time of step 1: 0 9 * * *, then step 1: 5 %');
    assert.equal(nextText({ ...view, step: 1, waiting: '3s more' }, steps), '3s more, then it is done');
    assert.equal(nextText({ ...view, step: 1, waiting: null }, steps), 'at once, then it is done');
  });
});

describe('the place of a rollout', () => {
  const place = (text: string): RolloutPlace => {
    const [state, step] = text.split(' ');
    return readPlace({ state, step: Number(step) }, 4)!;
  };
  // [wanted, present, moves]
  const rows: [string, string, string][] = [
    ['running 1', 'running 1', ''],
    ['running 3', 'running 1', 'restart 3'],
    ['running 1', 'running 3', 'restart 1'],
    ['running 0', 'running 1', 'restart'],
    ['running 2', 'paused 2', 'resume'],
    ['running 2', 'rolled-back 2', 'restart 2'],
    ['running 4', 'done 4', 'restart 4'],
    ['paused 2', 'paused 2', ''],
    ['paused 2', 'running 1', 'restart 2, pause'],
    ['paused 1', 'running 1', 'pause'],
    ['paused 2', 'paused 1', 'restart 2, pause'],
    ['paused 2', 'rolled-back 2', 'restart 2, pause'],
    ['rolled-back 2', 'running 1', 'rollback'],
    ['rolled-back 2', 'rolled-back 1', ''],
    ['done 4', 'running 1', 'restart 4'],
    ['done 4', 'running 4', ''],
    ['done 4', 'done 4', ''],
  ];
  for (const [wanted, present, moves] of rows) {
    it(`gets from ${present} to ${wanted}`, () => {
      const told = movesTo(place(wanted), place(present)).map(({ action, step }) => [action, step].join(' ').trim());
      assert.equal(told.join(', '), moves);
    });
  }

  for (const value of [null, 7, [], {}, { state: 'x', step: 1 }, { state: 'done', step: 5 }, { state: 'done' }]) {
    it(`is not ${JSON.stringify(value)}`, () => assert.throws(() => readPlace(value, 4), { code: 'invalid' }));
  }
});
