// exec.ts -- the exec check: run a program, judge its exit code
//
// Running programs is the most a check can ask for, so only checks that stand in the local configuration may, unless
// that says otherwise. The program is started without a shell in a process group of its own, and the whole group is
// killed at the deadline and when the program ends, so that nothing it started stays behind (short of what leaves the
// group on purpose).
//
// It does not inherit the server's environment, which may hold tokens. It gets PATH, HOME, LANG, TZ and TMPDIR as the
// server has them, and CHECK_ID, CHECK_INSTANCE, CHECK_SERVICE, CHECK_ADDRESS and CHECK_PORT. Its standard input is
// empty and its working directory is the server's.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Outcome, ProbeResult } from '../health/check-spec.ts';
import type { Checker, ProbeTarget } from '../health/checker.ts';
import { OUTPUT_LIMIT_BYTES } from '../health/probe-output.ts';
import { type Finding, ProbeRefusal, ProbeRuns } from './probe-runs.ts';
import type { ProbeSignal } from './probe-signal.ts';

export interface ExecOptions {
  /** False: only checks from the local configuration are run. */
  readonly allowExec: boolean;
}

/** Probes `type: exec` checks: exit code 0 is passing, 1 warning, anything else critical. */
export class ExecChecker implements Checker {
  readonly #allowed: boolean;
  readonly #runs = new ProbeRuns();

  constructor(options: ExecOptions) {
    this.#allowed = options.allowExec;
  }

  probe(target: ProbeTarget): Promise<ProbeResult> {
    const [program = ''] = target.check.args ?? [];
    return this.#runs.run(`exec ${program}`, target.check.timeoutMs, async (signal) => {
      if (!this.#allowed && target.isStatic !== true)
        throw new ProbeRefusal('exec checks are switched off (health.allowExec)');
      if (program === '') throw new Error('the check names no program');
      return runProgram(program, target, signal);
    });
  }

  async close(): Promise<void> {
    this.#runs.close();
  }
}

function runProgram(program: string, target: ProbeTarget, signal: ProbeSignal): Promise<Finding> {
  const child = spawn(program, target.check.args?.slice(1) ?? [], {
    detached: true,
    env: environmentFor(target),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collectOutput(child);
  return new Promise((resolve, reject) => {
    let lastWords: NodeJS.Timeout | undefined;
    const release = () => {
      clearTimeout(lastWords);
      forget();
      killGroup(child);
      child.stdout?.destroy();
      child.stderr?.destroy();
    };
    const onAbort = () => {
      release();
      reject(signal.reason);
    };
    const forget = signal.onAbort(onAbort);
    child.once('error', (error) => {
      release();
      reject(error);
    });
    child.once('exit', (code, killedBy) => {
      const finish = () => {
        release();
        resolve(judgeExit(program, code, killedBy, output()));
      };
      // What the program wrote may still be in the pipe. `close` comes when it is read, but never while something
      // that left the group holds the pipe open.
      killGroup(child);
      child.once('close', finish);
      lastWords = setTimeout(finish, LAST_WORDS_MS);
    });
  });
}

/** How long to wait for the rest of a program's output after it has ended. */
const LAST_WORDS_MS = 100;

const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR'];

function environmentFor(target: ProbeTarget): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {
    CHECK_ID: target.check.id,
    CHECK_INSTANCE: target.instanceId,
    CHECK_SERVICE: target.service,
    CHECK_ADDRESS: target.address,
    CHECK_PORT: String(target.port),
  };
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/** Standard output and error as they come, the first OUTPUT_LIMIT_BYTES of them; the rest is read and dropped. */
function collectOutput(child: ChildProcess): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      if (size >= OUTPUT_LIMIT_BYTES) return;
      const kept = chunk.subarray(0, OUTPUT_LIMIT_BYTES - size);
      chunks.push(kept);
      size += kept.length;
    });
    stream?.on('error', () => {});
  }
  return () => Buffer.concat(chunks).toString('utf8');
}

/** A group lives on, under the number of its leader, until its last member is gone. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nobody is left; or (Windows) there are no groups, and the leader is all there is to kill.
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  }
}

const OUTCOME_OF_EXIT: Readonly<Record<number, Outcome>> = { 0: 'passing', 1: 'warning' };

function judgeExit(program: string, code: number | null, killedBy: NodeJS.Signals | null, output: string): Finding {
  const outcome = code === null ? 'critical' : (OUTCOME_OF_EXIT[code] ?? 'critical');
  const ending = code === null ? `killed by ${killedBy}` : `exit code ${code}`;
  return { outcome, output: `exec ${program}: ${ending}${output === '' ? '' : `, output: ${output}`}` };
}
