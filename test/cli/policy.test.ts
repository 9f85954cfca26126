// policy.test.ts -- `rollcall policy` against a server: fields by options and files, conditions, dry runs

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type ApiServer, openApiServer } from '../support/api-server.ts';
import { runCommand } from '../support/captured-terminal.ts';

const PATH = '/v1/services/cart/policy';
const ROUTES = [{ match: { tags: ['v2'] }, percent: 1, sticky: true }];

describe('rollcall policy', () => {
  let server: ApiServer;
  const run = (line: string, input?: unknown) =>
    runCommand([...`policy ${line}`.split(' '), '--http', server.url], {
      ...(input === undefined ? {} : { input: typeof input === 'string' ? input : JSON.stringify(input) }),
    });
  const present = async () => (await server.call('GET', PATH)).body;
  before(async () => {
    server = await openApiServer();
  });
  after(() => server?.close());
  beforeEach(() => server.call('DELETE', PATH));

  it('sets every field that has an option, keeps the others, and unsets', async () => {
    await server.call('PUT', PATH, { routes: ROUTES });
    const line =
      'set cart --strategy weighted --max-answers 3 --ttl 3s --when-all-unhealthy all --min-healthy-fraction 0.25 ' +
      '--warning-weight 0.5 --srv-weight-scale 256 --one-subnet-per-answer --slow-start 90s';
    assert.deepEqual((await run(line)).err, '');
    const all = {
      ...{ strategy: 'weighted', maxAnswers: 3, ttl: '3s', whenAllUnhealthy: 'all', minHealthyFraction: 0.25 },
      ...{ warningWeight: 0.5, srvWeightScale: 256, oneSubnetPerAnswer: true, slowStart: '90s', routes: ROUTES },
    };
    assert.deepEqual(await present(), all);
    assert.equal((await run('set cart --unset routes --unset ttl --no-one-subnet-per-answer')).err, '');
    const { routes: _routes, ttl: _ttl, ...rest } = all;
    assert.deepEqual(await present(), { ...rest, oneSubnetPerAnswer: false });
    const { out } = await run('set cart --unset maxAnswers --max-answers 5 --json');
    assert.equal(JSON.parse(out).maxAnswers, 5, 'what is stated wins');
  });

  it('takes what it printed, with another field beside', async () => {
    const steps = [{ percent: 1, for: '1h' }, { percent: 100 }];
    await server.call('PUT', PATH, { routes: ROUTES, steps });
    const { out } = await run('get cart --json');
    assert.equal((await run('set cart --file - --ttl 7s', out)).err, '');
    const { rollout, ttl } = await present();
    assert.deepEqual([rollout.state, rollout.step, ttl], ['running', 1, '7s']);
    const shown = await run('get cart');
    assert.match(shown.out, /^steps\[1\] +\{"route":0,"percent":100\}$/m);
    assert.match(shown.out, /^rollout +running, step 1 of 2, 1 %$/m);
  });

  it('writes only what it was told to expect', async () => {
    assert.equal((await run('set cart --ttl 1s --if-match 1')).code, 1);
    assert.equal((await run('set cart --ttl 1s --if-match *')).code, 1);
    assert.equal((await run('set cart --ttl 1s --create')).code, 0);
    assert.match((await run('set cart --ttl 2s --create')).err, /^precondition_failed: .*is there already/);
    const tag = (await run('get cart --etag')).out.trim();
    assert.match(tag, /^"\d+"$/);
    assert.deepEqual(JSON.parse((await run('get cart --etag --json')).out), { etag: tag });
    assert.equal((await run(`set cart --ttl 3s --if-match ${tag}`)).code, 0);
    assert.equal((await run('set cart --max-answers 2 --if-match *')).code, 0);
    assert.match((await run(`set cart --ttl 4s --if-match ${tag}`)).err, /^precondition_failed: /);
    assert.match((await run(`set cart --file - --if-match ${tag}`, {})).err, /^precondition_failed: /);
    assert.match((await run(`delete cart --if-match ${tag}`)).err, /^precondition_failed: /);
    assert.equal((await present()).ttl, '3s');
    const now = (await run('get cart --etag')).out.trim().replaceAll('"', '');
    assert.equal((await run(`delete cart --if-match ${now}`)).out, 'the policy of cart is deleted\n');
    assert.match((await run('delete cart')).err, /^unknown_policy: /);
  });

  it('shows what would change, and changes nothing', async () => {
    await server.call('PUT', PATH, { strategy: 'hash', ttl: '60s' });
    const { out } = await run('set cart --ttl 1m --max-answers 2 --unset strategy --dry-run');
    assert.equal(out, 'KEY         NOW   THEN\nstrategy    hash  -\nmaxAnswers  -     2\n');
    assert.equal((await run('set cart --ttl 1m --dry-run')).out, 'nothing would change\n');
    const json = JSON.parse((await run('set cart --file - --dry-run --json', { ttl: '2s' })).out);
    assert.deepEqual(json, { dryRun: true, present: { strategy: 'hash', ttl: '60s' }, wanted: { ttl: '2s' } });
    const none = JSON.parse((await run('set other --ttl 2s --dry-run --json')).out);
    assert.equal(none.present, null);
    assert.equal((await run('set cart --ttl 2s --dry-run --create')).code, 1);
    assert.equal((await run('set cart --ttl 2s --dry-run --if-match 99999')).code, 1);
    assert.equal((await run('set other --ttl 2s --dry-run --if-match *')).code, 1);
    assert.deepEqual(await present(), { strategy: 'hash', ttl: '60s' });
  });

  const WRONG = { routes: [{ match: { tags: ['a b'] }, x: 1 }], stratgy: 'hash' };
  for (const dry of ['', ' --dry-run']) {
    it(`says every place that is wrong${dry}`, async () => {
      const { code, out, err } = await run(`set cart --file -${dry}`, WRONG);
      assert.deepEqual([code, out], [1, '']);
      const [head, ...paths] = err.trimEnd().split('\n');
      assert.match(head!, /^invalid: policy: /);
      assert.deepEqual(
        paths.map((line) => line.trim().split(': ')[0]),
        ['routes[0].match.tags[0]', 'routes[0].x', 'stratgy'],
      );
    });
  }

  const REFUSED: [line: string, code: number, err: RegExp, input?: string][] = [
    ['set cart', 2, /^usage: nothing to set/],
    ['set cart --json', 2, /^usage: nothing to set/],
    ['set cart --ttl 1s --create --if-match 1', 2, /^usage: --create and --if-match/],
    ['set cart --ttl 1s --if-match W/"1"', 2, /^usage: 'W\/"1"' is not an ETag/],
    ['set cart --unset strateg', 2, /Allowed choices are strategy/],
    ['set cart --unset __proto__', 2, /Allowed choices are strategy/],
    ['set cart --max-answers 0', 2, /whole number from 1 to 1000/],
    ['set cart --warning-weight -1', 2, /must be a number/],
    ['set cart --warning-weight 2', 1, /^invalid: policy: warningWeight: /],
    ['set cart --ttl 5', 1, /^invalid: policy: ttl: /],
    ['set cart --file -', 2, /^usage: standard input: /, '{'],
    ['set cart --file -', 2, /^usage: standard input does not hold a JSON object/, '[]'],
    ['set cart --file -', 1, /^invalid: .*__proto__: unknown field/, '{"__proto__":{"ttl":"1s"}}'],
    ['set cart --file - --dry-run', 1, /^invalid: policy: /, '{"constructor":1}'],
    ['set addr --ttl 5s', 1, /^invalid: /],
    ['get none', 1, /^unknown_policy: /],
    ['delete none', 1, /^unknown_policy: /],
  ];
  for (const [line, code, err, input] of REFUSED) {
    it(`refuses ${line} ${input ?? ''}`, async () => {
      const result = await run(line, input);
      assert.deepEqual([result.code, result.out], [code, '']);
      assert.match(result.err, err);
    });
  }
});
