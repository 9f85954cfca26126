// tools.ts -- the programs a test needs beside Node: installing them, running them, and servers that surely end
//
// Where the tests run as root on a Debian system, missing tools are installed when a test first asks for them. In CI
// (`CI` set) a tool that is still missing is an error; elsewhere the test is skipped and says what to install.
// TEST_NO_INSTALL=1 keeps the tests from installing anything.

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

/** Daemons live in the sbin folders, which only root has on the path. */
const TOOL_PATH = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter);
const INSTALL_TIMEOUT_MS = 600_000;
/** One file for all test processes of a run: they are children of one test runner. */
const FAILED_INSTALL_NOTE = join(tmpdir(), `rollcall-test-install-failed-${process.ppid}`);
const NOTE_MAX_AGE_MS = 3_600_000;

/**
 * Make sure that programs are there, given as `{ program: 'debian-package' }`. False when one is missing and the test
 * was skipped: `if (!(await requireTools(t, { dig: 'bind9-dnsutils' }))) return;`
 * Throws in CI when a program is missing and could not be installed.
 */
export async function requireTools(
  t: Pick<TestContext, 'skip'>,
  tools: Readonly<Record<string, string>>,
): Promise<boolean> {
  const missing = () => Object.entries(tools).filter(([program]) => findTool(program) === undefined);
  if (missing().length === 0) return true;
  const trouble = await installPackages(missing());
  const still = missing();
  if (still.length === 0) return true;
  const list = still.map(([program, debianPackage]) => `${program} (Debian package ${debianPackage})`).join(', ');
  if (process.env.CI) throw new Error(`missing: ${list}; ${trouble}`);
  t.skip(`missing: ${list}; ${trouble}`);
  return false;
}

/** The full path of a program, or undefined. */
export function findTool(program: string): string | undefined {
  for (const folder of TOOL_PATH.split(delimiter)) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/**
 * Install what is missing; says why it could not. `flock` lets one test process install at a time, and the tools are
 * looked for again under the lock. Package lists are fetched only when an install fails without.
 *
 * A daemon's package would start the daemon, which would then hold ports and answer queries of its own. A policy-rc.d
 * that exits 101 forbids it; one that is there already is kept, ours is removed again (the mark tells them apart, in
 * case an earlier run was killed in the middle).
 */
const INSTALL_SCRIPT = `
guard=/usr/sbin/policy-rc.d mark='# rollcall test guard'
packages=
for pair in "$@"; do
  command -v "\${pair%%=*}" >/dev/null || packages="$packages \${pair#*=}"
done
[ -n "$packages" ] || exit 0
if [ ! -e "$guard" ] || grep -qF "$mark" "$guard"; then
  trap 'rm -f "$guard"' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\\n%s\\nexit 101\\n' "$mark" >"$guard" && chmod 755 "$guard"
fi
get="apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=120"
$get install $packages || { $get update && $get install $packages; }
`;

async function installPackages(missing: readonly (readonly [string, string])[]): Promise<string> {
  if (process.env.TEST_NO_INSTALL) return 'TEST_NO_INSTALL is set';
  if (process.getuid?.() !== 0 || findTool('apt-get') === undefined || findTool('flock') === undefined) {
    return 'installing needs root and apt-get';
  }
  const packages = missing.map(([, debianPackage]) => debianPackage);
  if (packages.some((name) => failedBefore().includes(name))) return 'installing failed earlier in this run';
  const pairs = missing.map(([program, debianPackage]) => `${program}=${debianPackage}`);
  const lock = join(tmpdir(), 'rollcall-test-install.lock');
  const result = await run('flock', [lock, 'sh', '-c', INSTALL_SCRIPT, 'install', ...pairs], {
    timeoutMs: INSTALL_TIMEOUT_MS,
    env: { DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (result.exitCode === 0) return 'the package did not bring the program';
  await appendFile(FAILED_INSTALL_NOTE, `${packages.join('\n')}\n`);
  return `apt-get failed: ${result.stderr.trim().split('\n').slice(-3).join(' ')}`;
}

/** The packages that could not be installed in this run: trying again costs every test file its seconds. */
function failedBefore(): string[] {
  const noted = statSync(FAILED_INSTALL_NOTE, { throwIfNoEntry: false });
  if (noted === undefined || Date.now() - noted.mtimeMs > NOTE_MAX_AGE_MS) return [];
  return readFileSync(FAILED_INSTALL_NOTE, 'utf8').split('\n');
}

/** How to run a command. */
export interface RunOptions {
  /** After this long the command and its children are killed; default 10,000. */
  readonly timeoutMs?: number;
  /** Added to our own environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What it reads from standard input; default nothing. */
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
}

/** What a command did. `exitCode` is null when a signal ended it. */
export interface RunResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** Run a command to its end. Rejects only when it cannot be started: an exit code is the caller's to judge. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = start(command, args, options);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  child.stdin?.on('error', () => {}); // it may end without reading what it is given
  child.stdin?.end(options.input ?? '');
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child, 'SIGKILL');
  }, options.timeoutMs ?? 10_000);
  try {
    const { exitCode, signal } = await new Promise<ExitStatus>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
    });
    return { exitCode, signal, stdout: stdout(), stderr: stderr(), timedOut };
  } finally {
    clearTimeout(timer);
  }
}

/** How to start a server and know that it is up. */
export interface ServerOptions extends Omit<RunOptions, 'input' | 'timeoutMs'> {
  /** Up when this matches its output so far (standard output, then standard error), or when this resolves to true. */
  readonly ready: RegExp | (() => boolean | Promise<boolean>);
  /** How long it may take to be up; default 15,000. */
  readonly readyTimeoutMs?: number;
}

/** How a process ended. */
export interface ExitStatus {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One listener for all servers: a test may start dozens of them. */
const KILL_AT_EXIT = new Set<() => void>();
process.once('exit', () => {
  for (const kill of KILL_AT_EXIT) kill();
});

/** A server that a test started. */
export interface RunningServer {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Resolves when the process has ended, however it did. */
  readonly exited: Promise<ExitStatus>;
  stdout(): string;
  stderr(): string;
  /** Send a signal (default SIGTERM) to the process alone and wait for its end; after 10 s its group is killed. */
  stop(signal?: NodeJS.Signals): Promise<ExitStatus>;
}

/**
 * Start a server and wait until it is up. It is killed with all its children when the test ends, or when this process
 * does. Throws with what it printed when it ends early or is not up in time.
 */
export async function spawnServer(
  t: Pick<TestContext, 'after'>,
  command: string,
  args: readonly string[],
  options: ServerOptions,
): Promise<RunningServer> {
  const child = start(command, args, options);
  child.stdin?.end();
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const exited = new Promise<ExitStatus>((resolve) => {
    child.once('error', () => resolve({ exitCode: null, signal: null }));
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  const kill = () => killGroup(child, 'SIGKILL');
  KILL_AT_EXIT.add(kill);
  t.after(async () => {
    kill();
    // Bounded, since a child that left the group may still hold the pipes that `exited` waits for.
    await Promise.race([exited, sleep(2_000, undefined, { ref: false })]);
    KILL_AT_EXIT.delete(kill);
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    const timer = setTimeout(kill, 10_000);
    return exited.finally(() => clearTimeout(timer));
  };
  const server: RunningServer = { pid: child.pid ?? -1, child, exited, stdout, stderr, stop };
  await untilReady(server, command, options);
  return server;
}

async function untilReady(server: RunningServer, command: string, options: ServerOptions): Promise<void> {
  const { ready } = options;
  const isReady = ready instanceof RegExp ? () => ready.test(`${server.stdout()}${server.stderr()}`) : ready;
  const deadline = performance.now() + (options.readyTimeoutMs ?? 15_000);
  let ended: ExitStatus | undefined;
  void server.exited.then((status) => {
    ended = status;
  });
  while (!(await isReady())) {
    const late = performance.now() > deadline;
    if (ended === undefined && !late) {
      await Promise.race([server.exited, sleep(20)]);
      continue;
    }
    const what = ended ? `ended early (${ended.signal ?? ended.exitCode ?? 'not started'})` : 'is not up in time';
    throw new Error(`${command} ${what}\n${server.stdout()}${server.stderr()}`);
  }
}

function start(command: string, args: readonly string[], options: RunOptions | ServerOptions): ChildProcess {
  return spawn(command, args, {
    // A group of its own, so that its children can be killed with it.
    detached: true,
    // NODE_TEST_CONTEXT would make a Node child report as if it were one of the runner's test files.
    env: { ...process.env, PATH: TOOL_PATH, NODE_TEST_CONTEXT: undefined, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
}

/** Gather a stream's text; reading it also keeps the process from blocking on a full pipe. */
function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The whole group has ended.
  }
}
