// export-import.test.ts -- `rollcall export` and `rollcall import`: all of it there and back, and what is refused

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openLmdbStore } from '../../src/stores/lmdb.ts';
import { type ApiServer, openApiServer } from '../support/api-server.ts';
import { runCommand } from '../support/captured-terminal.ts';

const scratch = mkdtempSync(join(tmpdir(), 'rollcall-export-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const HEADER = '{"format":"rollcall-export","version":1,"exportedAt":"2026-01-01T00:00:00.000Z"}';

/** Everything a registration can say. */
const FULL = {
  ...{
    address: '2001:db8::7',
    port: 80,
    ports: { admin: 81, stats: { port: 82, proto: 'udp' } },
    tags: ['blue', 'v2'],
  },
  ...{ meta: { team: 'ä"\\', empty: '' }, weight: 0, zone: 'a', ttl: '7s', leaseTtl: '1h', warmup: '10s' },
  checks: [
    { id: 'page', type: 'http', url: 'http://127.0.0.1:9/x', method: 'HEAD', headers: { a: 'b' }, interval: '60s' },
    { id: 'beat', type: 'heartbeat', interval: '5s', initial: 'warning', deregisterAfter: '1h' },
  ],
};

async function fill({ call }: ApiServer): Promise<void> {
  const put = async (path: string, body: unknown): Promise<void> => {
    const { status, body: reply } = await call('PUT', path, body);
    assert.ok(status === 200 || status === 201, `${path}: ${status} ${JSON.stringify(reply)}`);
  };
  await put('/v1/services/cart/instances/full', FULL);
  for (const id of ['plain', 'drained', 'held', 'held-why']) {
    await put(`/v1/services/cart/instances/${id}`, { address: '10.0.0.1', port: 80 });
  }
  await put('/v1/services/empty/policy', { strategy: 'random' });
  await put('/v1/services/cart/policy', { strategy: 'weighted', ttl: '9s', maxAnswers: 3 });
  await call('POST', '/v1/instances/drained/drain');
  await put('/v1/instances/held/maintenance', { enabled: true });
  await put('/v1/instances/held-why/maintenance', { enabled: true, reason: 'a new disk' });
}

/** An export without the time of it. */
function linesOf(text: string): string[] {
  return text.trim().split('\n').slice(1).sort();
}

describe('export and import', () => {
  it('carry everything to another server, and cost nothing the second time', async (t) => {
    const [from, to] = [await openApiServer(), await openApiServer()];
    t.after(() => Promise.all([from.close(), to.close()]));
    await fill(from);
    const file = join(scratch, 'all.ndjson');
    const exported = await runCommand(['export', file, '--http', from.url]);
    assert.deepEqual([exported.code, exported.err], [0, `7 entries written to ${file}\n`]);
    const dry = await runCommand(['import', file, '--dry-run', '--http', 'http://127.0.0.1:9']);
    assert.deepEqual([dry.code, dry.out], [0, `${file} is in order: 5 instances, 2 policies\n`]);
    const revisions: unknown[] = [];
    for (let round = 0; round < 2; round++) {
      const imported = await runCommand(['import', file, '--http', to.url]);
      assert.deepEqual(imported, { code: 0, out: 'imported 5 instances, 2 policies\n', err: '' });
      revisions.push(Array.from(to.registry.instances(), (each) => [each.instance.id, each.revision]));
    }
    assert.deepEqual(revisions[1], revisions[0]);
    const again = await runCommand(['export', '--http', to.url]);
    assert.deepEqual(linesOf(again.out), linesOf(readFileSync(file, 'utf8')));
    assert.match(again.out, /"maintenance":"a new disk"/);
    assert.match(again.out, /"id":"drained".*"draining":true/);
    assert.deepEqual(readdirSync(scratch), ['all.ndjson']);
  });

  it('shows a bar on a terminal only', async (t) => {
    const server = await openApiServer();
    t.after(() => server.close());
    await fill(server);
    const file = join(scratch, 'bar.ndjson');
    const { err } = await runCommand(['export', file, '--http', server.url], { isTerminal: true });
    assert.match(err, /exporting services \[#{15}\.{15}\] 1\/2/);
    const imported = await runCommand(['import', file, '--http', server.url], { isTerminal: true });
    assert.match(imported.err, /importing \[#{30}\] 7\/7/);
  });

  it('writes many instances in batches', async (t) => {
    const server = await openApiServer();
    t.after(() => server.close());
    const rows = Array.from({ length: 1200 }, (_, n) => instanceRow(`i-${n}`, { address: '10.0.0.1', port: 80 }));
    const { code, out } = await runCommand(['import', '-', '--http', server.url], { input: fileOf(rows) });
    assert.deepEqual([code, out], [0, 'imported 1200 instances, 0 policies\n']);
    assert.equal(server.registry.instanceCount, 1200);
    assert.ok(server.registry.sequence >= 1200, 'each is a change');
  });
});

const STEPPED = {
  routes: [{ match: { tags: ['canary'] } }],
  steps: [{ percent: 1, for: '1h' }, { percent: 5, for: '1h' }, { percent: 100 }],
};

/** Services at every kind of place in the same steps. */
async function fillSteps({ call }: ApiServer): Promise<void> {
  const moves: Record<string, object[]> = {
    begun: [],
    second: [{ action: 'restart', step: 2 }],
    still: [{ action: 'restart', step: 2 }, { action: 'pause' }],
    back: [{ action: 'rollback' }],
    all: [{ action: 'restart', step: 3 }],
  };
  for (const [name, bodies] of Object.entries(moves)) {
    await call('PUT', `/v1/services/${name}/policy`, STEPPED);
    for (const body of bodies) await call('POST', `/v1/services/${name}/rollout`, body);
  }
}

async function placesOf({ call }: ApiServer): Promise<Record<string, string>> {
  const places: Record<string, string> = {};
  for (const name of ['begun', 'second', 'still', 'back', 'all']) {
    const { state, percent } = (await call('GET', `/v1/services/${name}/rollout`)).body;
    places[name] = `${state} ${percent}`;
  }
  return places;
}

describe('export and import of steps', () => {
  it('carry how far they have come, over what is there too', async (t) => {
    const [from, to] = [await openApiServer(), await openApiServer()];
    t.after(() => Promise.all([from.close(), to.close()]));
    await fillSteps(from);
    const input = (await runCommand(['export', '--http', from.url])).out;
    const places = await placesOf(from);
    assert.deepEqual(places, {
      ...{ begun: 'running 1', second: 'running 5', still: 'paused 5', back: 'rolled-back 0', all: 'done 100' },
    });
    for (const before of ['nothing', 'the same', 'others']) {
      if (before === 'others') {
        for (const name of ['begun', 'second', 'back']) {
          await to.call('POST', `/v1/services/${name}/rollout`, { action: 'restart', step: 3 });
        }
      }
      const { code, err } = await runCommand(['import', '-', '--http', to.url], { input });
      assert.deepEqual([code, err], [0, ''], before);
      assert.deepEqual(await placesOf(to), places, before);
    }
    const again = await runCommand(['export', '--http', to.url]);
    assert.deepEqual(linesOf(again.out).length, linesOf(input).length);
  });
});

describe('export of a stopped store', () => {
  it('gives what the server gave, and asks for nothing but the folder', async () => {
    const folder = join(scratch, 'store');
    const store = await openLmdbStore({ path: folder, log: silentLogger });
    const server = await openApiServer({
      registry: await Registry.open({ store, clock: systemClock, log: silentLogger }),
    });
    await fill(server);
    await fillSteps(server);
    const online = await runCommand(['export', '--http', server.url]);
    const locked = await runCommand(['export', '--store', folder]);
    assert.deepEqual([locked.code, locked.out.split('\n').length], [1, 2]);
    assert.match(locked.err, /^store_locked: /);
    await server.close();
    await store.close();
    const offline = await runCommand(['export', '--store', folder]);
    assert.deepEqual([offline.code, linesOf(offline.out)], [0, linesOf(online.out)]);
    const none = await runCommand(['export', '--store', join(scratch, 'none')]);
    assert.match(none.err, /^store_path: there is no store in /);
    assert.equal(readdirSync(scratch).includes('none'), false);
  });
});

function instanceRow(id: string, instance: object): string {
  return JSON.stringify({ kind: 'instance', service: 'cart', id, instance });
}

function fileOf(rows: readonly string[]): string {
  return `${[HEADER, ...rows, JSON.stringify({ kind: 'end', entries: rows.length })].join('\n')}\n`;
}

const GOOD = instanceRow('good', { address: '10.0.0.1', port: 80 });

const REFUSED: readonly (readonly [what: string, text: string, err: string])[] = [
  ['an empty file', '', '-:1: the file is cut: its last line is missing\n'],
  ['another file', '{"a":1}\n', '-:1: is not the first line of an export\n'],
  ['a version to come', HEADER.replace('"version":1', '"version":2'), '-:1: is of version 2; this program knows 1\n'],
  ['a cut file', `${HEADER}\n${GOOD}\n`, '-:3: the file is cut: its last line is missing\n'],
  ['a cut line', fileOf([GOOD, GOOD.slice(0, 20)]), '-:3: is not JSON\n'],
  [
    'a line that is gone',
    fileOf([GOOD, GOOD]).replace(`${GOOD}\n`, ''),
    '-:3: the end tells of 2 entries, there are 1\n',
  ],
  ['a line after the end', `${fileOf([GOOD])}${GOOD}\n`, '-:4: stands after the end\n'],
  ['an unknown kind', fileOf(['{"kind":"x"}']), '-:2: is of kind "x", which is not known\n'],
  ['a bad policy', fileOf(['{"kind":"policy","service":"s","policy":{"ttl":1}}']), '-:2: ttl: '],
  [
    'a place that there is not',
    fileOf([JSON.stringify({ kind: 'policy', service: 's', policy: STEPPED, rollout: { state: 'done', step: 4 } })]),
    '-:2: rollout.step must be ',
  ],
  [
    'every problem of every line',
    fileOf([
      instanceRow('a', { address: 'x y', port: 0 }),
      GOOD,
      instanceRow('b', { address: '10.0.0.1', port: 1, a: 1 }),
    ]),
    '-:2: address: ',
  ],
];

describe('import', () => {
  for (const [what, input, err] of REFUSED) {
    it(`refuses ${what}, and sends nothing`, async () => {
      const run = await runCommand(['import', '-', '--http', 'http://127.0.0.1:9'], { input });
      assert.deepEqual([run.code, run.out], [1, '']);
      assert.ok(run.err.startsWith(err), run.err);
    });
  }

  it('names the lines that the server refuses, and registers the others', async (t) => {
    const server = await openApiServer();
    t.after(() => server.close());
    await server.call('PUT', '/v1/services/other/instances/taken', { address: '10.0.0.9', port: 80 });
    const file = join(scratch, 'mixed.ndjson');
    writeFileSync(file, fileOf([instanceRow('taken', { address: '10.0.0.1', port: 80 }), GOOD]));
    const { code, err } = await runCommand(['import', file, '--http', server.url]);
    assert.deepEqual([code, err], [1, `${file}:2: id 'taken' belongs to service 'other'\n`]);
    assert.equal(server.registry.instance('good')?.instance.service, 'cart');
  });

  it('says how far it came when the server is gone', async () => {
    const { code, err } = await runCommand(['import', '-', '--http', 'http://127.0.0.1:9'], { input: fileOf([GOOD]) });
    assert.equal(code, 1);
    assert.match(err, /^unreachable: .*; 0 of 1 entries were sent: run it again to go on\n$/);
  });

  it('tells what file it cannot read', async () => {
    const { code, err } = await runCommand(['import', join(scratch, 'gone')]);
    assert.deepEqual([code, /^usage: cannot read .*ENOENT/.test(err)], [2, true]);
  });
});
