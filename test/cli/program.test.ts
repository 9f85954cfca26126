// program.test.ts -- exit codes and the commands that need no server

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/load-config.ts';
import { runCommand } from '../support/captured-terminal.ts';
import { findTool } from '../support/tools.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'rollcall-cli-'));
after(() => rmSync(FOLDER, { recursive: true }));
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

describe('exit codes', () => {
  const rows: readonly (readonly [argv: string, code: number, err: RegExp])[] = [
    ['--help', 0, /^$/],
    ['services --help', 0, /^$/],
    ['help query', 0, /^$/],
    ['--version', 0, /^$/],
    ['', 2, /^Usage: rollcall/],
    ['policy', 2, /^Usage: rollcall policy/],
    ['bogus', 2, /unknown command 'bogus'/],
    ['service', 2, /Did you mean services\?/],
    ['services --jsn', 2, /unknown option '--jsn'/],
    ['query', 2, /missing required argument 'name'/],
    ['query a b c', 2, /too many arguments/],
    ['query a BOGUS', 2, /^usage: 'BOGUS' is not a record type/],
    ['query a..b', 2, /^usage: empty label/],
    ['query a --server localhost', 2, /must be an address and a port/],
    ['query a --timeout 0', 2, /must be a number of seconds/],
    ['query a --https --tcp', 2, /^usage: TCP and HTTPS exclude each other/],
    ['query a --tls --tcp', 2, /^usage: TCP and TLS exclude each other/],
    ['query a --server ftp://x', 2, /must be an address and a port/],
    ['query a --subnet 10.0.0.1/8', 2, /must be a network like 10\.1\.2\.0\/24/],
    ['maintenance a maybe', 2, /Allowed choices are on, off/],
    ['register a --port 99999', 2, /must be a whole number from 1 to 65535/],
    ['register a --port 80', 2, /^usage: --address is missing/],
    ['register a --address 10.0.0.1 --port 80 --meta x', 2, /must be key=value/],
    ['register a --address 10.0.0.1 --port 80 --named-port x=y', 2, /must be name=port/],
    ['register a --address 10.0.0.1 --port 80 --check-interval 5s', 2, /^usage: --check-interval/],
    ['register a --file /no/such/file', 2, /^usage: \/no\/such\/file: ENOENT/],
    ['services --http ftp://x', 2, /^usage: 'ftp:\/\/x' is not the address of a server/],
    ['services --token a\u00e9', 2, /^usage: the token holds characters/],
    ['instances ..', 2, /^usage: '\.\.' cannot be a name/],
    ['policy set a', 2, /^usage: nothing to set/],
    ['token --allow everything', 2, /^usage: 'everything' is not a scope/],
    ['token --id a/b', 2, /^usage: an id is/],
    ['completion tcsh', 2, /Allowed choices are bash, zsh, fish/],
    ['simulate', 2, /missing required argument 'service'/],
    ['simulate web --rate 0', 2, /It must be a number above 0/],
    ['simulate web --fail web-1', 2, /It must be like web-1@10s\+20s/],
    ['import /no/such/file', 2, /^usage: cannot read \/no\/such\/file: ENOENT/],
    ['serve --config /no/such.yaml', 1, /^\/no\/such\.yaml: cannot be read: there is no such file/],
  ];
  for (const [argv, code, err] of rows) {
    it(`rollcall ${argv}`, async () => {
      const run = await runCommand(argv.split(' ').filter(Boolean));
      assert.match(run.err, err);
      assert.equal(run.code, code);
      if (code > 0) assert.equal(run.out, '');
    });
  }

  it('reach the process', () => {
    const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', MAIN, 'bogus'], { encoding: 'utf8' });
    assert.equal(status, 2);
    assert.match(stderr, /unknown command/);
  });
});

describe('rollcall check', () => {
  function check(files: Record<string, string>, ...argv: string[]) {
    const cwd = mkdtempSync(join(FOLDER, 'check-'));
    mkdirSync(join(cwd, 'zones'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
    return runCommand(['check', ...argv], { cwd });
  }
  const SOA =
    '@ 5 IN SOA ns.service.local. host.service.local. 1 3600 900 604800 5\n@ 5 IN NS ns\nns 5 IN A 127.0.0.1\n';

  it('says ok when all is well', async () => {
    const run = await check({ 'zones/service.local.zone': SOA });
    assert.deepEqual(run, {
      code: 0,
      out: 'ok: no configuration file, 1 domain, 1 zone, 0 static instances\n',
      err: '',
    });
  });

  it('prints every problem of the configuration and fails', async () => {
    const run = await check({ 'a.yaml': 'dns:\n  ttl: 5\nhttp:\n  lisen: x\n' }, '--config', 'a.yaml');
    assert.deepEqual(run, {
      code: 1,
      out: `a.yaml:2:8: dns.ttl: must be a time with a unit, like "5s" or "500ms"\na.yaml:4:3: http.lisen: unknown key; did you mean 'listen'?\n`,
      err: '2 errors\n',
    });
  });

  it('does not fail for warnings', async () => {
    const run = await check({ 'rollcall.yaml': 'http: { listen: "0.0.0.0:1" }\n' });
    assert.equal(run.code, 0);
    assert.match(run.out, /^rollcall\.yaml:1:17: warning: .*\nok: rollcall\.yaml, 1 domain/);
  });

  it('prints the problems of zones, relative to where one stands', async () => {
    const run = await check({ 'zones/service.local.zone': `${SOA}x 5 IN A 300.1.1.1\n` });
    assert.equal(run.code, 1);
    assert.match(run.out, /^zones\/service\.local\.zone:4:10: /);
  });

  it('misses a folder of zones that was asked for', async () => {
    const run = await check({ 'rollcall.yaml': 'dns: { zones: other }\n' });
    assert.equal(run.code, 1);
    assert.match(run.out, /^rollcall\.yaml:1:15: dns\.zones: \/.*\/other does not exist\n$/);
  });

  it('strips what would steer the terminal', async () => {
    const run = await check({ 'rollcall.yaml': 'dns: { listen: "\\e[31mred\\u202e" }\n' });
    assert.equal(run.code, 1);
    assert.match(run.out, /^rollcall\.yaml:1:16: dns\.listen: 'red' is not an address/);
  });

  it('works as a process, with the environment', () => {
    const cwd = mkdtempSync(join(FOLDER, 'process-'));
    const run = spawnSync(process.execPath, ['--import', import.meta.resolve('tsx'), MAIN, 'check'], {
      cwd,
      env: { ...process.env, ROLLCALL_DNS_TTL: '5' },
      encoding: 'utf8',
    });
    assert.equal(
      run.stdout,
      'environment ROLLCALL_DNS_TTL: dns.ttl: must be a time with a unit, like "5s" or "500ms"\n',
    );
    assert.equal(run.status, 1);
  });
});

describe('rollcall token', () => {
  it('prints a token, its hash, and lines that the configuration takes', async () => {
    const { out, code } = await runCommand([
      'token',
      '--id',
      'ci',
      '--allow',
      'services:write:cart-*',
      '--allow',
      'operator',
    ]);
    assert.equal(code, 0);
    const token = /^token: ([A-Za-z0-9_-]{43})$/m.exec(out)![1]!;
    const sha256 = createHash('sha256').update(token).digest('hex');
    const file = join(FOLDER, 'token.yaml');
    writeFileSync(file, out.slice(out.indexOf('auth:')));
    const { config } = loadConfig({ file, env: {}, cwd: FOLDER });
    assert.deepEqual(config!.auth.tokens, [{ id: 'ci', sha256, allow: ['services:write:cart-*', 'operator'] }]);
  });

  it('never prints the same twice, and JSON for scripts', async () => {
    const runs = await Promise.all([1, 2].map(() => runCommand(['token', '--json'])));
    const [first, second] = runs.map(({ out }) => JSON.parse(out));
    assert.notEqual(first.token, second.token);
    assert.equal(first.hash, `sha256:${createHash('sha256').update(first.token).digest('hex')}`);
    assert.deepEqual([first.id, first.allow], ['token-1', ['services:read:*']]);
  });
});

describe('rollcall completion', () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    it(`for ${shell} knows commands and options, and is a valid script`, async () => {
      const { out, code } = await runCommand(['completion', shell]);
      assert.equal(code, 0);
      for (const word of ['deregister', 'maintenance', 'check-http', 'max-answers'])
        assert.ok(out.includes(word), word);
      const program = findTool(shell);
      if (program === undefined) return;
      const { status, stderr } = spawnSync(program, ['-n'], { input: out, encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    });
  }

  it('completes in a real bash', async (t) => {
    if (findTool('bash') === undefined) return t.skip('no bash');
    const { out } = await runCommand(['completion', 'bash']);
    const script = `${out}
COMP_WORDS=(rollcall dereg); COMP_CWORD=1; _rollcall; echo "\${COMPREPLY[@]}"
COMP_WORDS=(rollcall query --t); COMP_CWORD=2; _rollcall; echo "\${COMPREPLY[@]}"`;
    const { stdout } = spawnSync('bash', ['--norc'], { input: script, encoding: 'utf8' });
    assert.equal(stdout, 'deregister\n--tcp --tls --timeout\n');
  });
});
