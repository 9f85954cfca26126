// exec.test.ts -- the exec check with real programs

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExecChecker } from '../../src/checkers/exec.ts';
import type { Outcome } from '../../src/health/check-spec.ts';
import { type Behaviour, type Subject, testChecker } from '../conformance/checkers.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';

const folder = mkdtempSync(join(tmpdir(), 'rollcall-exec-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let started = 0;

/** Each notes the numbers of its processes, so that the test can see them go. */
const SCRIPTS: Readonly<Partial<Record<Behaviour, string>>> = {
  passing: 'echo $$ > "$0"; echo fine',
  critical: 'echo broken >&2; exit 2',
  silent: 'echo $$ > "$0"; sleep 30',
  // A child in the background that holds the output open and ignores polite signals.
  hanging: `(trap '' TERM HUP; sleep 30) & echo $! $$ > "$0"; trap '' TERM; wait`,
  dribbling: 'echo $$ > "$0"; while sleep 0.02; do printf x; done',
  flooding: 'echo $$ > "$0"; yes',
  resetting: 'echo $$ > "$0"; kill -9 $$',
};

async function start(behaviour: Behaviour): Promise<Subject> {
  if (behaviour === 'absent') {
    return {
      check: checkSpec('exec', { args: ['/no/such/program'] }),
      port: 0,
      released: async () => {},
      close: async () => {},
    };
  }
  const pidFile = join(folder, `pids-${started++}`);
  return {
    check: checkSpec('exec', { args: ['/bin/sh', '-c', SCRIPTS[behaviour]!, pidFile] }),
    port: 0,
    released: async () => {
      const pids = readFileSync(pidFile, 'utf8').trim().split(/\s+/).map(Number);
      assert.ok(pids.length > 0 && pids.every((pid) => pid > 1), `processes ${pids}`);
      const giveUpMs = performance.now() + 5000;
      while (pids.some(isAlive)) {
        assert.ok(performance.now() < giveUpMs, `still there: ${pids.filter(isAlive).join(' ')}`);
        await sleep(5);
      }
    },
    close: async () => {},
  };
}

/** A zombie that its new parent has not reaped yet is as good as gone. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

testChecker('exec', {
  create: (options) => new ExecChecker(options),
  start,
  skips: { babbling: 'its exit code is all that counts' },
});

describe('exec check', () => {
  const run = (args: readonly string[], timeoutMs = 2000) =>
    new ExecChecker({ allowExec: true }).probe(probeTarget(checkSpec('exec', { args, timeoutMs })));

  const exits: readonly (readonly [string, Outcome, RegExp])[] = [
    ['exit 0', 'passing', /exit code 0$/],
    ['exit 1', 'warning', /exit code 1$/],
    ['exit 2', 'critical', /exit code 2$/],
    ['exit 255', 'critical', /exit code 255$/],
    ['kill -SEGV $$', 'critical', /killed by SIGSEGV$/],
    ['echo out; echo err >&2; exit 1', 'warning', /exit code 1, output: (out\nerr|err\nout)\n$/],
  ];
  for (const [script, outcome, output] of exits) {
    it(`${script} is ${outcome}`, async () => {
      const result = await run(['/bin/sh', '-c', script]);
      assert.equal(result.outcome, outcome);
      assert.match(result.output, output);
    });
  }

  it('is refused unless it is allowed, and nothing runs', async () => {
    const mark = join(folder, 'mark');
    const target = probeTarget(checkSpec('exec', { args: ['/usr/bin/touch', mark] }));
    const result = await new ExecChecker({ allowExec: false }).probe(target);
    assert.equal(result.outcome, 'critical');
    assert.match(result.output, /^refused: exec checks are switched off/);
    assert.throws(() => readFileSync(mark), /ENOENT/);
  });

  it('is run all the same when it stands in the local configuration', async () => {
    const check = checkSpec('exec', { args: ['/bin/true'] });
    const result = await new ExecChecker({ allowExec: false }).probe(probeTarget(check, { isStatic: true }));
    assert.equal(result.outcome, 'passing', result.output);
  });

  it('knows no shell: arguments arrive as they are', async () => {
    const result = await run(['/bin/echo', '$HOME; `id` $(id) | cat > /tmp/x', '*']);
    assert.match(result.output, /output: \$HOME; `id` \$\(id\) \| cat > \/tmp\/x \*\n$/);
  });

  it("gets the instance in its environment and none of the server's secrets", async () => {
    process.env.ROLLCALL_TOKEN = 'must-not-leak';
    const result = await run(['/usr/bin/env']);
    delete process.env.ROLLCALL_TOKEN;
    assert.doesNotMatch(result.output, /must-not-leak/);
    for (const line of ['CHECK_ID=check-1', 'CHECK_INSTANCE=cart-1', 'CHECK_SERVICE=cart', 'CHECK_PORT=9', 'PATH=']) {
      assert.ok(result.output.includes(line), `${line} in ${result.output}`);
    }
  });

  it('a program that ends while something it left behind holds its output counts at once', async () => {
    const startedMs = performance.now();
    const result = await run(['/bin/sh', '-c', 'setsid sleep 3 & echo left one; exit 0'], 2500);
    assert.equal(result.outcome, 'passing');
    assert.match(result.output, /left one/);
    assert.ok(performance.now() - startedMs < 1500, 'well before its deadline');
  });
});
