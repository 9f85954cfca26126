// commands.test.ts -- the commands against a running server, and `npm start` with the commands that it prints

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type BuiltServer,
  buildOnce,
  makeServerFolder,
  runRollcall,
  startBuiltServer,
} from '../support/built-server.ts';
import { findTool, requireTools, run, spawnServer } from '../support/tools.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NAME = 'cart-service.service.local';

/** Runs a command that has to succeed; its standard output. */
function commandsOf(server: BuiltServer) {
  return async (...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await runRollcall(args, { env: { ROLLCALL_HTTP: server.url } });
    assert.equal(exitCode, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
}

test('an instance is registered, looked at, drained and deregistered', async (t) => {
  const server = await startBuiltServer(t);
  const rollcall = commandsOf(server);
  const at = `${server.dns.address}:${server.dns.port}`;

  assert.match(
    await rollcall('register', 'cart-service', '--id', 'cart-1', '--address', '10.1.0.1', '--port', '8080'),
    /^registered cart-1 at 10\.1\.0\.1:8080, healthy$/m,
  );
  await rollcall(
    'register',
    'cart-service',
    '--id',
    'cart-2',
    '--address',
    '10.1.0.2',
    '--port',
    '8080',
    '--tag',
    'v2',
  );

  const [service] = JSON.parse(await rollcall('services', '--json'));
  assert.deepEqual([service.name, service.instances, service.healthy], ['cart-service', 2, 2]);
  assert.match(await rollcall('services'), /cart-service\s+2\s+2\s+round-robin\s+v2/);
  assert.match(
    await rollcall('instances', 'cart-service'),
    /cart-2\s+cart-service\s+10\.1\.0\.2\s+8080\s+1\s+healthy\s+v2/,
  );
  assert.equal(JSON.parse(await rollcall('instances', '--tag', 'v2', '--json')).length, 1);

  await t.test('query', async () => {
    for (const transport of [[], ['--tcp']]) {
      const answer = await rollcall('query', NAME, 'A', '--server', at, ...transport);
      assert.match(answer, /10\.1\.0\.1/);
      assert.match(answer, /10\.1\.0\.2/);
    }
    const json = JSON.parse(await rollcall('query', NAME, 'SRV', '--server', at, '--json'));
    assert.equal(json.rcode, 'NOERROR');
    assert.equal(json.answers.length, 2);
    const unknown = await runRollcall(['query', 'nobody.service.local', '--server', at]);
    assert.equal(unknown.exitCode, 1);
    assert.match(unknown.stdout, /NXDOMAIN/);
  });

  await t.test('policy', async () => {
    await rollcall('policy', 'set', 'cart-service', '--strategy', 'weighted', '--ttl', '9s');
    await rollcall('policy', 'set', 'cart-service', '--max-answers', '1');
    const policy = JSON.parse(await rollcall('policy', 'get', 'cart-service', '--json'));
    assert.deepEqual([policy.strategy, policy.ttl, policy.maxAnswers], ['weighted', '9s', 1]);
    assert.equal((await server.addresses(NAME)).length, 1);
    await rollcall('policy', 'delete', 'cart-service');
    assert.equal((await server.addresses(NAME)).length, 2);
  });

  await t.test('drain and maintenance', async () => {
    await rollcall('drain', 'cart-1');
    assert.deepEqual(await server.addresses(NAME), ['10.1.0.2']);
    await rollcall('drain', 'cart-1', '--undo');
    assert.deepEqual(await server.addresses(NAME), ['10.1.0.1', '10.1.0.2']);
    await rollcall('maintenance', 'cart-2', 'on', '--reason', 'new disk');
    assert.deepEqual(await server.addresses(NAME), ['10.1.0.1']);
    assert.match(await rollcall('instances'), /cart-2 .* maintenance .*new disk/);
    await rollcall('maintenance', 'cart-2', 'off');
  });

  await rollcall('deregister', 'cart-1', 'cart-2');
  await assert.rejects(server.addresses(NAME), { code: 'ENOTFOUND' });
  assert.equal(JSON.parse(await rollcall('services', '--json')).length, 0);
});

test('failure is 1 with the reason, misuse is 2', async (t) => {
  const server = await startBuiltServer(t);
  const cases: readonly (readonly [args: string[], exitCode: number, error: RegExp])[] = [
    [['deregister', 'nobody'], 1, /unknown_instance/],
    [['instances', 'nobody'], 1, /unknown_service/],
    [['register', 'cart-service', '--address', 'not an address', '--port', '1'], 1, /address/],
    [['register', 'cart-service'], 2, /address/],
    [['services', '--http', 'http://127.0.0.1:1'], 1, /127\.0\.0\.1:1/],
    [['services', '--color', 'red'], 2, /--color/],
    [['juggle'], 2, /juggle/],
    [['query', NAME, 'NOTYPE'], 2, /NOTYPE/],
    [[], 2, /serve/],
  ];
  for (const [args, expected, error] of cases) {
    await t.test(`rollcall ${args.join(' ')}`, async () => {
      const { exitCode, stdout, stderr } = await runRollcall(args, { env: { ROLLCALL_HTTP: server.url } });
      assert.equal(exitCode, expected, stdout + stderr);
      assert.match(stderr, error);
      assert.doesNotMatch(stderr, /^ {4}at /m);
      assert.equal(stdout, '');
    });
  }
});

test('check says what is wrong, and where', async (t) => {
  const good = makeServerFolder(t, {
    zones: { 'a.test.zone': '@ 5 SOA ns host 1 1 1 1 1\n@ 5 NS ns\nns 5 A 10.0.0.1\n' },
  });
  const fine = await runRollcall(['check'], { cwd: good });
  assert.equal(fine.exitCode, 0, fine.stdout + fine.stderr);
  const bad = makeServerFolder(t, {
    config: { dns: { listn: [], ttl: 5 } },
    zones: { 'a.test.zone': 'ns 5 A 10.0.0\n' },
  });
  const { exitCode, stdout } = await runRollcall(['check'], { cwd: bad });
  assert.equal(exitCode, 1);
  assert.match(stdout, /^rollcall\.yaml:\d+:\d+: .*listn.*listen/m);
  assert.match(stdout, /^rollcall\.yaml:\d+:\d+: .*ttl/m);
});

test('npm start prints addresses and three commands, and they work', async (t) => {
  if (!(await requireTools(t, { curl: 'curl', dig: 'bind9-dnsutils' }))) return;
  await buildOnce();
  const npm = findTool('npm');
  if (npm === undefined) return t.skip('npm is not on the path');
  const folder = makeServerFolder(t);
  const args = [
    'start',
    '--silent',
    '--',
    '--config',
    join(folder, 'rollcall.yaml'),
    '--ready-file',
    join(folder, 'run/ready.json'),
  ];
  const started = await spawnServer(t, npm, args, {
    cwd: ROOT,
    ready: /\n {2}curl \S*\/v1\S*\n/,
    readyTimeoutMs: 60_000,
  });
  const { pid, dns, http } = JSON.parse(readFileSync(join(folder, 'run/ready.json'), 'utf8'));
  const text = started.stdout();
  assert.ok(text.includes(dns[0]) && text.includes(http[0]), text);

  const commands = text.split('\n').filter((line) => /^ {2}(curl|dig) /.test(line));
  assert.equal(commands.length, 3, text);
  const outputs: string[] = [];
  for (const command of commands) outputs.push(await shell(t, command.trim()));
  assert.match(outputs[0]!, /"id":\s*"cart-1"/);
  assert.match(outputs[1]!, /ANSWER: 1[\s\S]*127\.0\.0\.1/);
  assert.match(outputs[2]!, /"service":\s*"cart-service"/);

  await t.test('and a SIGTERM to npm ends the server', async () => {
    await started.stop('SIGTERM');
    const deadlineMs = performance.now() + 5000;
    while (isRunning(pid)) {
      assert.ok(performance.now() < deadlineMs, 'the server lives on');
      await sleep(20);
    }
  });
});

/** False as well for a process that has ended and waits for its parent to look. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (thrown) {
    // Where there is no /proc the first of the two has told.
    return (thrown as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync('/proc/self');
  }
}

async function shell(t: TestContext, command: string): Promise<string> {
  t.diagnostic(command);
  const { exitCode, stdout, stderr } = await run('sh', ['-c', command]);
  assert.equal(exitCode, 0, `${command}: ${stderr}`);
  return stdout;
}
