// bootstrap.mjs -- everything `npm start`, `npm test` and the other scripts do before and around the real program
//
// Runs on a fresh clone with nothing installed, so it may import nothing but Node itself. npm's own `pre` scripts are
// no help: `ignore-scripts=true` in .npmrc, which keeps packages from running code at install time, switches them off.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = dirname(fileURLToPath(import.meta.url));
const BUILD_LOCK = 'node_modules/.rollcall-build';
const BUILD_POLL_MS = 100;
const USAGE = `usage: node bootstrap.mjs COMMAND [ARGUMENT...]

  start [ARG...]     run the server; arguments go to \`rollcall serve\`
  demo [ARG...]      run the server with three toy instances to break and mend
  test [WORD...]     the checks and every test; with words, only test files whose path contains one of them
  check              format and lint, types, architecture, unused code
  build              compile src/ to dist/, unless dist/ is up to date
  bench [ARG...]     the benchmarks
  bench:gateway      the gateway beside HAProxy and the gateways of Node
  ordeal [ARG...]    the long runs under load and failure`;

const COMMANDS = {
  start: (args) => runServer('serve', args),
  demo: (args) => runServer('demo', args),
  test: (args) => runTests(args),
  check: async () => (runChecks() ? 0 : 1),
  build: async () => build(),
  bench: (args) => runScript('test/bench/bench.ts', args),
  'bench:gateway': (args) => runScript('test/bench/gateway.ts', args),
  ordeal: (args) => runScript('test/ordeal/ordeal.ts', args),
};

await main(process.argv.slice(2));

async function main([name = '', ...args]) {
  process.chdir(ROOT);
  if (name === 'help' || name === '--help') return console.log(USAGE);
  if (!Object.hasOwn(COMMANDS, name)) fail(USAGE, 2);
  requireNode();
  endWithNpm();
  install();
  const exitCode = await COMMANDS[name](args);
  if (exitCode !== undefined) process.exitCode = exitCode;
}

/**
 * A SIGTERM to `npm start` ends npm and the shell that npm put between, but reaches nobody further down: the server
 * would live on as an orphan. So when the shell is gone, tell ourselves.
 */
function endWithNpm() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 100);
  timer.unref();
}

/** Stop with a plain sentence where this Node is older than package.json's `engines` asks for. */
function requireNode() {
  const wanted = /(\d+)(?:\.(\d+))?/.exec(readJson('package.json').engines.node);
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [wantedMajor, wantedMinor] = [Number(wanted[1]), Number(wanted[2] ?? 0)];
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  fail(`rollcall needs Node.js ${wantedMajor}.${wantedMinor} or newer; this is ${process.versions.node}`);
}

// --- installing -----------------------------------------------------------------------------------------------------

/** Install what package-lock.json names, unless it is there already: then nothing is asked of the network. */
function install() {
  if (isInstalled()) return;
  say('installing packages (npm ci) ...');
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  // Run by npm, the same npm is used again; without it, the one on the path (a .cmd file on Windows, hence the shell).
  const result = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
    : spawnSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32' });
  if (result.status !== 0) fail(`npm ci failed${result.error ? `: ${result.error.message}` : ''}`);
}

/**
 * Whether node_modules holds what the lock file asks for. npm writes what it put there into a lock file of its own, as
 * the last step; comparing the two also accepts an install made by hand, and notices one copied from another platform.
 */
function isInstalled() {
  const hidden = 'node_modules/.package-lock.json';
  if (!existsSync(hidden)) return false;
  const present = readJson(hidden).packages;
  const wanted = readJson('package-lock.json').packages;
  for (const [path, entry] of Object.entries(wanted)) {
    const found = present[path];
    if (path === '' || (found === undefined && (entry.optional || entry.devOptional || entry.peer))) continue;
    if (found?.version !== entry.version || found.integrity !== entry.integrity) return false;
  }
  return Object.entries(present).every(
    ([path, { os, cpu }]) => wanted[path] !== undefined && suits(os, process.platform) && suits(cpu, process.arch),
  );
}

/** npm's rule for a package's `os` and `cpu`: a list of what it runs on, or with `!` of what it does not. */
function suits(list, value) {
  if (list === undefined || list.includes(value)) return true;
  return list.every((item) => item.startsWith('!')) && !list.includes(`!${value}`);
}

// --- building -------------------------------------------------------------------------------------------------------

/** Compile src/ to dist/ unless dist/ was made from these very sources by this very compiler. One process at a time. */
function build() {
  takeBuildLock();
  let isBuilt = false;
  try {
    isBuilt = buildIfStale();
  } finally {
    rmSync(BUILD_LOCK, { force: true });
  }
  if (!isBuilt) fail('the build failed');
}

/** Wait while a living process builds; a lock left behind by a killed one counts for nothing. */
function takeBuildLock() {
  for (;;) {
    try {
      writeFileSync(BUILD_LOCK, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isLeftBehind(BUILD_LOCK)) rmSync(BUILD_LOCK, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUILD_POLL_MS);
  }
}

/** Whether the process that holds a lock is gone. Also true when it holds it for longer than any build takes. */
function isLeftBehind(lock) {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    const ageMs = Date.now() - statSync(lock).mtimeMs;
    if (pid > 0 && ageMs < 600_000) process.kill(pid, 0);
    return pid > 0 ? ageMs > 600_000 : ageMs > 10_000;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

/** False when the compiler found errors. */
function buildIfStale() {
  const stamp = 'dist/.sources';
  const sources = listFiles('src');
  const digest = digestOf([...sources, 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return true;
  say('building (tsc) ...');
  rmSync(stamp, { force: true });
  const result = spawnSync(
    process.execPath,
    [...tool('typescript', 'tsc'), '-p', 'tsconfig.build.json', '--noEmitOnError'],
    {
      stdio: 'inherit',
    },
  );
  if (result.status !== 0) return false;
  removeStale(sources);
  writeFileSync(stamp, digest);
  return true;
}

/** Remove from dist/ what no source file stands for any more. */
function removeStale(sources) {
  const made = new Set(sources.map(toBuilt).flatMap((path) => [path, `${path}.map`, path.replace(/js$/, 'd.ts')]));
  for (const path of listFiles('dist')) if (!made.has(path)) rmSync(path);
}

function toBuilt(path) {
  return path.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js');
}

function digestOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(path)).update('\0');
  return hash.digest('hex');
}

// --- commands -------------------------------------------------------------------------------------------------------

/** Run the built program in this very process, so that signals reach it without a middleman. */
async function runServer(command, args) {
  build();
  const entry = join(ROOT, 'dist/main.js');
  process.argv = [process.execPath, entry, command, ...args];
  await import(pathToFileURL(entry).href);
}

/** The checks, then every test file; both always run, so that one report shows everything. */
async function runTests(words) {
  build();
  const all = listFiles('test').filter((path) => path.endsWith('.test.ts'));
  const files = words.length === 0 ? all : all.filter((path) => words.some((word) => path.includes(word)));
  if (files.length === 0) fail(`no test file's path contains ${words.join(' or ')}`);
  const checksPassed = words.length > 0 || runChecks(['architecture']);
  const exitCode = await runNode([
    '--import',
    'tsx',
    '--test',
    '--test-concurrency=2',
    '--test-reporter=spec',
    ...files,
  ]);
  if (!checksPassed) say('a check failed: see above, before the tests');
  return exitCode !== 0 ? exitCode : checksPassed ? 0 : 1;
}

/** Every static check, each under its name; true when all passed. */
function runChecks(except = []) {
  const checks = {
    'format and lint': [...tool('@biomejs/biome', 'biome'), 'ci', '--error-on-warnings', '--colors=off', '.'],
    types: [...tool('typescript', 'tsc'), '--noEmit', '--pretty', 'false'],
    architecture: ['--import', 'tsx', '--test', '--test-reporter=spec', 'test/architecture.test.ts'],
    'unused code': [...tool('knip', 'knip'), '--no-progress'],
  };
  let passed = true;
  for (const [name, args] of Object.entries(checks)) {
    if (except.includes(name)) continue;
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
    console.log(`check: ${name}: ${status === 0 ? 'ok' : 'FAILED'}`);
    if (status === 0) continue;
    passed = false;
    process.stdout.write(`${stdout}${stderr}`);
  }
  return passed;
}

async function runScript(path, args) {
  if (!existsSync(path)) fail(`${path} does not exist`);
  build();
  return runNode(['--import', 'tsx', path, ...args]);
}

// --- helpers --------------------------------------------------------------------------------------------------------

/** Run Node with our standard streams; signals are passed on and the exit code comes back. */
function runNode(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: 'inherit' });
    // At a terminal Ctrl-C reaches the child by itself, and a second SIGINT would mean "at once" to it.
    const pass = (signal) => child.kill(signal);
    process.on('SIGINT', () => {});
    process.on('SIGTERM', pass).on('SIGHUP', pass);
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}

/** The script behind a package's command: Node runs it alike on every platform, unlike the links in .bin. */
function tool(packageName, command) {
  const folder = `node_modules/${packageName}`;
  const { bin } = readJson(`${folder}/package.json`);
  return [join(folder, typeof bin === 'string' ? bin : bin[command])];
}

/** Every file below a folder, sorted, with forward slashes. */
function listFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      relative(ROOT, join(ROOT, entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join('/'),
    )
    .sort();
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function say(text) {
  console.error(`rollcall: ${text}`);
}

function fail(text, exitCode = 1) {
  console.error(exitCode === 2 ? text : `rollcall: ${text}`);
  process.exit(exitCode);
}
