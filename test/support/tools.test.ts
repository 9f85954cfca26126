// tools.test.ts -- commands end when they should, and servers end with their test

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findTool, requireTools, run, spawnServer } from './tools.ts';

/** A server that starts a child of its own on the same pipes, and takes no SIGTERM. */
const STUBBORN = `
  require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
  process.on('SIGTERM', () => {});
  setInterval(() => {}, 1000);
  console.log('up');
`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('run', () => {
  it('gives back exit code, output and what was put in', async () => {
    const result = await run('sh', ['-c', 'cat; echo trouble >&2; exit 3'], { input: 'hello' });
    assert.deepEqual(result, { exitCode: 3, signal: null, stdout: 'hello', stderr: 'trouble\n', timedOut: false });
  });

  it('kills a command and its children at the deadline', async () => {
    const result = await run('sh', ['-c', 'sleep 60 & echo $!; wait'], { timeoutMs: 200 });
    assert.equal(result.timedOut, true);
    assert.equal(result.signal, 'SIGKILL');
  });

  it('rejects for a program that is not there', async () => {
    await assert.rejects(run('no-such-program', []), /ENOENT/);
  });
});

describe('spawnServer', () => {
  it('leaves no process behind, not even the children of one that takes no SIGTERM', async () => {
    const endOfTest: (() => unknown)[] = [];
    const t = { after: (hook: () => unknown) => void endOfTest.push(hook) };
    const server = await spawnServer(t, process.execPath, ['-e', STUBBORN], { ready: /up\n/ });
    assert.equal(isAlive(server.pid), true);
    for (const hook of endOfTest) await hook();
    // Ends only when the child has let go of the pipe too.
    assert.deepEqual(await server.exited, { exitCode: null, signal: 'SIGKILL' });
    assert.equal(isAlive(server.pid), false);
  });

  it('tells how a server stopped', async (t) => {
    const script = 'process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000); console.error("up")';
    const server = await spawnServer(t, process.execPath, ['-e', script], { ready: /up/ });
    assert.deepEqual(await server.stop(), { exitCode: 7, signal: null });
  });

  it('throws with the output of a server that ends before it is up', async (t) => {
    const early = spawnServer(t, 'sh', ['-c', 'echo no such port; exit 1'], { ready: /up/ });
    await assert.rejects(early, /ended early \(1\)\nno such port/);
  });

  it('throws when a server is not up in time', async (t) => {
    const late = spawnServer(t, 'sleep', ['60'], { ready: () => false, readyTimeoutMs: 100 });
    await assert.rejects(late, /not up in time/);
  });
});

describe('requireTools', () => {
  it('is true when the program is there', async (t) => {
    assert.notEqual(findTool('sh'), undefined);
    assert.equal(await requireTools(t, { sh: 'dash' }), true);
  });
});
