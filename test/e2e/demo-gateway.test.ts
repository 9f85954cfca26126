// demo-gateway.test.ts -- `rollcall demo --gateway` and the example of a rolling deploy, on the built program

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runRollcall } from '../support/built-server.ts';
import { SERVICE, startGatewayServer } from '../support/gateway-server.ts';
import { HttpLoad } from '../support/http-load.ts';
import { run } from '../support/tools.ts';

const EXAMPLES = fileURLToPath(new URL('../../docs/examples', import.meta.url));
const TOY = join(EXAMPLES, 'toy-service.mjs');

test('the demo deploys v2 and v3 and loses no request', async () => {
  const anywhere = ['--gateway', '127.0.0.1:0', '--dns', '127.0.0.1:0', '--http', '127.0.0.1:0'];
  const { exitCode, stdout, stderr } = await runRollcall(['demo', ...anywhere, '--seconds', '8'], {
    timeoutMs: 120_000,
  });
  assert.equal(exitCode, 0, stdout + stderr);
  assert.equal(stderr, '');
  assert.match(stdout, /^0 failed of \d{3,} requests \(GET\)$/m);
  const stages = Array.from(stdout.matchAll(/== (.*)$/gm), ([, stage]) => stage);
  const milestones = [
    ...['starting v1', 'v1 has all requests', 'canary: v2 gets 1 %', 'rolling deploy, v1 to v2'],
    ...['kill -9 of an instance', 'rolling deploy, v2 to v3', 'v3 has all requests'],
  ];
  // How many steps of the canary are seen is a matter of time.
  assert.deepEqual(
    stages.filter((stage) => !/canary: v2 gets (?!1 %)/.test(stage!)),
    milestones,
  );
  assert.match(stdout, /canary done, step 3: 25 %/);
  assert.match(stdout, /cart-v2-\d is gone: its lease ran out/);
  // Nothing for a terminal goes elsewhere.
  assert.ok(!stdout.includes('\u001b'), 'it holds escape sequences');
});

test('the demo says that an address cannot be', async () => {
  const { exitCode, stderr } = await runRollcall(['demo', '--gateway', 'nowhere', '--dns', '127.0.0.1:0']);
  assert.equal(exitCode, 1);
  assert.match(stderr, /gateway\.listen/);
});

test('--seconds goes with --gateway', async () => {
  const { exitCode, stderr } = await runRollcall(['demo', '--seconds', '8']);
  assert.deepEqual([exitCode, stderr], [2, 'usage: --seconds goes with --gateway only\n']);
});

test('the example replaces all instances under load without losing a request', async (t) => {
  let url = '';
  // Hooks run in their order: this one while the server still knows the instances.
  t.after(async () => {
    const reply = url === '' ? undefined : await fetch(`${url}/v1/services/${SERVICE}`);
    const { instances } = ((await reply?.json()) ?? { instances: [] }) as { instances: { meta: { pid: string } }[] };
    for (const { meta } of instances) process.kill(Number(meta.pid), 'SIGKILL');
  });
  const { server, gateway } = await startGatewayServer(t);
  url = server.url;
  const world = { ...process.env, ROLLCALL_HTTP: server.url };
  const toys: ChildProcess[] = [];
  t.after(() => {
    for (const toy of toys) toy.kill('SIGKILL');
  });
  await server.api('PUT', `/v1/services/${SERVICE}/policy`, { ttl: '0s' });
  for (const number of [1, 2]) {
    const id = `${SERVICE}-v1-${number}`;
    const who = { SERVICE_NAME: SERVICE, SERVICE_ID: id, SERVICE_VERSION: 'v1', SERVICE_ADDRESS: '127.0.0.1' };
    toys.push(spawn(process.execPath, [TOY], { env: { ...world, ...who }, stdio: ['ignore', 'pipe', 'ignore'] }));
    await once(toys.at(-1)!.stdout!, 'data');
    await server.untilStatus(SERVICE, id, 'healthy', 60_000);
  }
  const ended = Promise.all(toys.map((toy) => once(toy, 'exit')));

  const load = new HttpLoad(t, gateway, { method: 'GET', path: '/', perSecond: 50 });
  const deploy = [join(EXAMPLES, 'rolling-deploy.mjs'), SERVICE, 'v2', '--', process.execPath, TOY];
  const { exitCode, stdout, stderr } = await run(process.execPath, deploy, { env: world, timeoutMs: 120_000 });
  await ended;
  const exchanges = await load.stop();

  assert.equal(exitCode, 0, stdout + stderr);
  assert.deepEqual(
    exchanges.filter(({ status }) => status !== 200),
    [],
  );
  assert.ok(exchanges.length > 20, `${exchanges.length} requests`);
  const { body } = await server.api('GET', `/v1/services/${SERVICE}`);
  const left = body.instances.map(({ id, status }: { id: string; status: string }) => [id, status]);
  assert.deepEqual(left, [
    [`${SERVICE}-v2-1`, 'healthy'],
    [`${SERVICE}-v2-2`, 'healthy'],
  ]);
  assert.match(stdout, /2 to replace by v2[\s\S]*v1-1 is gone \(1\/2\)[\s\S]*v1-2 is gone \(2\/2\)/);
});
