// package.test.ts -- the package as its users get it: packed, installed into an empty project, imported, compiled against

import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { findImports } from './support/architecture.ts';
import { startBuiltServer } from './support/built-server.ts';
import { TestServer } from './support/gateway-rig.ts';
import { installPacked, type PackedProject } from './support/packed-project.ts';
import { run, spawnServer } from './support/tools.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CONSUMER = join(ROOT, 'test/support/consumer');
const ENTRIES = ['client/client', 'gateway/middleware'];
/** What programs that use the two entries load beside them. */
const ALLOWED = ['ipaddr.js', 'lru-cache', 'undici'];
/** The compiler that most programs have, types of Node for it, and a server for an example. */
const OTHERS = ['typescript@5.9.3', '@types/node@20', 'express@5'];
const TIMEOUT_MS = 60_000;

let project: PackedProject | string = 'not installed yet';
before(async () => {
  project = await installPacked(OTHERS);
});
after(() => {
  if (typeof project === 'object') rmSync(project.folder, { recursive: true, force: true });
});

/** The project; undefined, and the test is skipped, when there is none. */
function installed(t: TestContext): PackedProject | undefined {
  if (typeof project === 'object') return project;
  t.skip(project);
  return undefined;
}

/** Every module that one of the entries reaches, and everything from elsewhere that these import. */
function reachedFrom(folder: string, entry: string): { modules: string[]; outside: string[] } {
  const modules = new Set<string>();
  const outside = new Set<string>();
  const queue = [join(folder, entry)];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (modules.has(path)) continue;
    modules.add(path);
    for (const specifier of findImports(readFileSync(path, 'utf8'))) {
      if (!specifier.startsWith('.')) outside.add(specifier);
      else queue.push(join(dirname(path), specifier.replace(/(?<!\.d)\.ts$/, '.d.ts')));
    }
  }
  return { modules: [...modules], outside: [...outside] };
}

describe('what is packed', () => {
  it('has nothing that publint minds', async (t) => {
    const found = installed(t);
    if (found === undefined) return;
    const { messages, pkg } = await publint({ pkgDir: found.package, pack: false, strict: true });
    assert.deepEqual(
      messages.filter(({ type }) => type !== 'suggestion').map((message) => formatMessage(message, pkg ?? {})),
      [],
    );
  });

  it('is what runs, with declarations, and nothing else', (t) => {
    const found = installed(t);
    if (found === undefined) return;
    const names = readdirSync(found.package).filter((name) => name !== 'node_modules');
    assert.deepEqual(names.sort(), ['LICENSE', 'README.md', 'dist', 'package.json', 'zones']);
    const built = readdirSync(join(found.package, 'dist'), { recursive: true, encoding: 'utf8' });
    assert.deepEqual(
      built.filter((path) => /\.[^/]*$/.test(path) && !/\.(js|js\.map|d\.ts)$/.test(path)),
      [],
    );
  });

  for (const entry of ENTRIES) {
    it(`needs nothing of the server for ${entry}`, (t) => {
      const found = installed(t);
      if (found === undefined) return;
      const { modules, outside } = reachedFrom(found.package, `dist/${entry}.js`);
      assert.ok(modules.length > 10, `${modules.length} modules`);
      const packages = outside.filter((each) => !each.startsWith('node:') && !ALLOWED.includes(each));
      assert.deepEqual(packages, []);
    });

    it(`has types for ${entry} that refer to nothing which is not there`, (t) => {
      const found = installed(t);
      if (found === undefined) return;
      const { modules, outside } = reachedFrom(found.package, `dist/${entry}.d.ts`);
      assert.deepEqual(
        modules.filter((path) => !existsSync(path)),
        [],
      );
      assert.deepEqual(
        outside.filter((each) => !each.startsWith('node:') && each !== 'undici'),
        [],
      );
    });
  }
});

describe('a program with the package', () => {
  it('registers, picks, asks by name and serves a gateway', async (t) => {
    const found = installed(t);
    if (found === undefined) return;
    const { url } = await startBuiltServer(t, { config: { store: { kind: 'memory' } } });
    copyFileSync(join(CONSUMER, 'program.mjs'), join(found.folder, 'program.mjs'));
    const result = await run(process.execPath, ['program.mjs', url], { cwd: found.folder, timeoutMs: TIMEOUT_MS });
    assert.deepEqual([result.stdout, result.exitCode], ['all is well\n', 0], result.stderr);
  });

  it('may require it where Node can', async (t) => {
    const found = installed(t);
    if (found === undefined) return;
    if (!(process.features as { require_module?: boolean }).require_module) {
      t.skip('this Node cannot require ES modules');
      return;
    }
    copyFileSync(join(CONSUMER, 'program.cjs'), join(found.folder, 'program.cjs'));
    const result = await run(process.execPath, ['program.cjs'], { cwd: found.folder, timeoutMs: TIMEOUT_MS });
    assert.deepEqual([result.stdout, result.exitCode], ['all is well\n', 0], result.stderr);
  });

  it('has the command', async (t) => {
    const found = installed(t);
    if (found === undefined) return;
    const command = join(found.folder, 'node_modules/.bin/rollcall');
    const result = await run(command, ['--version'], { cwd: found.folder, timeoutMs: TIMEOUT_MS });
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.deepEqual([result.exitCode, result.stdout.includes(version)], [0, true], result.stdout + result.stderr);
  });

  it('cannot reach what is not exported', async (t) => {
    const found = installed(t);
    if (found === undefined) return;
    for (const name of ['rollcall', 'rollcall/dist/server.js']) {
      const args = ['--input-type=module', '-e', `await import('${name}')`];
      const result = await run(process.execPath, args, { cwd: found.folder, timeoutMs: TIMEOUT_MS });
      assert.match(result.stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/, name);
    }
  });

  for (const compiler of ['TypeScript 5', 'the TypeScript of this project']) {
    for (const [module, moduleResolution] of [
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ]) {
      it(`is checked by ${compiler}, ${moduleResolution}`, async (t) => {
        const found = installed(t);
        if (found === undefined) return;
        copyFileSync(join(CONSUMER, 'program.mts'), join(found.folder, 'program.mts'));
        const home = compiler === 'TypeScript 5' ? found.folder : ROOT;
        const options = `--noEmit --strict --exactOptionalPropertyTypes --skipLibCheck false --target es2022 --types node`;
        const args = [
          ...options.split(' '),
          '--module',
          module!,
          '--moduleResolution',
          moduleResolution!,
          'program.mts',
        ];
        const tsc = join(home, 'node_modules/typescript/bin/tsc');
        const result = await run(process.execPath, [tsc, ...args], { cwd: found.folder, timeoutMs: TIMEOUT_MS });
        assert.equal(result.exitCode, 0, result.stdout + result.stderr);
      });
    }
  }
});

describe('the examples', () => {
  const EXAMPLES = [
    { name: 'gateway-node', path: '/api/cart/items', own: '/' },
    { name: 'gateway-express', path: '/shop/api/cart/items', own: '/api/cart/items' },
    { name: 'gateway-fastify', path: '/api/cart/items', own: '/' },
  ];
  for (const { name, path, own } of EXAMPLES) {
    it(`${name} takes requests to an instance and answers others itself`, async (t) => {
      const found = installed(t);
      if (found === undefined) return;
      const server = await startBuiltServer(t, { config: { store: { kind: 'memory' } } });
      const instance = await TestServer.start(
        t,
        createServer((request, response) => response.end(`cart ${request.url}`)),
      );
      await server.register('cart-service', 'c1', { address: '127.0.0.1', port: instance.port });
      copyFileSync(join(ROOT, `docs/examples/${name}.mjs`), join(found.folder, `${name}.mjs`));
      const program = await spawnServer(t, process.execPath, [`${name}.mjs`], {
        ready: /^port \d+$/m,
        readyTimeoutMs: TIMEOUT_MS,
        cwd: found.folder,
        env: { ROLLCALL_HTTP: server.url, PORT: '0' },
      });
      const url = `http://127.0.0.1:${/port (\d+)/.exec(program.stdout())![1]}`;
      assert.equal(await (await fetch(url + path)).text(), 'cart /items');
      assert.equal(await (await fetch(url + own)).text(), 'the shop itself\n');
      const { exitCode } = await program.stop();
      assert.equal(exitCode, 0, program.stderr());
    });
  }
});
