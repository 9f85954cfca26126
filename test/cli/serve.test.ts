// serve.test.ts -- `rollcall serve` and `rollcall demo` as processes: ready, signals, keys

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Peer } from '../support/peer.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'rollcall-serve-'));
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const TIMEOUT_MS = 30_000;
let children: Process[] = [];

afterEach(async () => {
  for (const child of children) await child.kill();
  children = [];
});
after(() => rmSync(FOLDER, { recursive: true }));

/** A `rollcall` process and what it has printed. */
class Process {
  readonly child: ChildProcess;
  readonly exited: Promise<[number | null, NodeJS.Signals | null]>;
  out = '';
  err = '';
  #wake = (): void => {};

  constructor(argv: readonly string[], env: Record<string, string> = {}, cwd = FOLDER) {
    const args = ['--import', import.meta.resolve('tsx'), MAIN, ...argv];
    this.child = spawn(process.execPath, args, { cwd, env: { ...process.env, ...env }, stdio: 'pipe' });
    this.exited = once(this.child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    this.child.stdout!.on('data', (data) => this.#note({ out: data }));
    this.child.stderr!.on('data', (data) => this.#note({ err: data }));
    void this.exited.then(() => this.#wake());
    children.push(this);
  }

  #note({ out = '', err = '' }: { out?: string; err?: string }): void {
    this.out += out;
    this.err += err;
    this.#wake();
  }

  /** The first match in what was printed, as soon as there is one. */
  async printed(pattern: RegExp, stream: 'out' | 'err' = 'out'): Promise<RegExpExecArray> {
    const deadline = AbortSignal.timeout(TIMEOUT_MS);
    for (;;) {
      const match = pattern.exec(this[stream]);
      if (match !== null) return match;
      if (deadline.aborted || this.child.exitCode !== null) {
        throw new Error(`${pattern} was not printed: ${this.out}${this.err}`);
      }
      await new Promise<void>((wake) => {
        this.#wake = wake;
        deadline.addEventListener('abort', () => wake(), { once: true });
      });
    }
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}

const ANYWHERE = {
  ROLLCALL_DNS_LISTEN: '127.0.0.1:0',
  ROLLCALL_HTTP_LISTEN: '127.0.0.1:0',
  ROLLCALL_STORE_KIND: 'memory',
};

describe('rollcall serve', () => {
  it('says where it listens, reloads at SIGHUP, stops at SIGTERM', async () => {
    const readyFile = join(FOLDER, 'ready.json');
    const configFile = join(FOLDER, 'serve.yaml');
    writeFileSync(readyFile, 'stale');
    writeFileSync(configFile, 'dns: { ttl: 5s }\n');
    const server = new Process(['serve', '--config', configFile, '--ready-file', readyFile], ANYWHERE);
    await server.printed(/curl http:.*\n$/);
    const { dns, http, pid } = JSON.parse(readFileSync(readyFile, 'utf8'));
    assert.equal(pid, server.child.pid);
    assert.match(dns[0], /^127\.0\.0\.1:[1-9]\d*$/);
    assert.ok(server.out.includes(`DNS   ${dns[0]} (UDP and TCP)`));
    assert.ok(server.out.includes(`HTTP  http://${http[0]}\n`));
    assert.ok(server.out.includes(`dig @127.0.0.1 -p ${dns[0].split(':')[1]} cart-service.service.local A`));
    const health = await fetch(`http://${http[0]}/healthz`);
    assert.equal(health.status, 200);

    server.child.kill('SIGHUP');
    await server.printed(/"reloaded"/, 'err');
    server.child.kill('SIGTERM');
    assert.deepEqual(await server.exited, [0, null]);
  });

  it('prints three commands of which the curl ones work as they stand', async () => {
    const server = new Process(['serve'], ANYWHERE);
    await server.printed(/curl http:.*\n$/);
    const [put, get] = server.out.split('\n').filter((line) => line.startsWith('  curl '));
    const url = /http:\S+/.exec(put!)![0];
    const body = /-d '(.*)'$/.exec(put!)![1]!;
    const reply = await fetch(url, { method: 'PUT', headers: { 'content-type': 'application/json' }, body });
    assert.equal(reply.status, 201);
    const seen = await fetch(/http:\S+/.exec(get!)![0]);
    assert.equal(((await seen.json()) as { instances: unknown[] }).instances.length, 1);
    server.child.kill('SIGINT');
    assert.deepEqual(await server.exited, [0, null]);
  });

  it('prints every problem of its configuration and fails', async () => {
    const server = new Process(['serve'], { ...ANYWHERE, ROLLCALL_DNS_TTL: '5', ROLLCALL_NOPE: 'x' });
    assert.deepEqual(await server.exited, [1, null]);
    assert.equal(
      server.err,
      'environment ROLLCALL_NOPE: warning: is not the name of any key\n' +
        'environment ROLLCALL_DNS_TTL: dns.ttl: must be a time with a unit, like "5s" or "500ms"\n',
    );
  });

  it('fails with a reason when its port is taken', async () => {
    const peer = await Peer.listen(createServer());
    try {
      const server = new Process(['serve'], { ...ANYWHERE, ROLLCALL_HTTP_LISTEN: `127.0.0.1:${peer.port}` });
      assert.deepEqual(await server.exited, [1, null]);
      assert.match(server.err, new RegExp(`EADDRINUSE.*127\\.0\\.0\\.1:${peer.port}`));
      assert.equal(server.out, '');
    } finally {
      await peer.close();
    }
  });
});

describe('rollcall demo', () => {
  it('shows how the answer follows what is broken and mended', async () => {
    const cwd = join(FOLDER, 'demo');
    mkdirSync(cwd, { recursive: true });
    // Not for the demo, whatever stands there.
    writeFileSync(join(cwd, 'rollcall.yaml'), 'nonsense');
    const demo = new Process(['demo', '--dns', '127.0.0.1:0', '--http', '127.0.0.1:0'], {}, cwd);
    await demo.printed(/A: 127\.0\.0\.2 127\.0\.0\.3 127\.0\.0\.4\n/);
    demo.child.stdin!.write('2\n');
    await demo.printed(/cart-2 is broken\n[\s\S]*A: 127\.0\.0\.2 127\.0\.0\.4\n/);
    demo.child.stdin!.write('13\n');
    await demo.printed(/A: no address: nobody is healthy\n/);
    demo.child.stdin!.write('1\n');
    await demo.printed(/cart-1 is mended\n[\s\S]*A: 127\.0\.0\.2\n/);
    demo.child.stdin!.end();
    demo.child.kill('SIGTERM');
    assert.deepEqual(await demo.exited, [0, null]);
    assert.equal(demo.err, '');
  });
});
