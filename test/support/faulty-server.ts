// faulty-server.ts -- the built server with a saboteur loaded before it, who breaks what he is told to, in either thread
//
// Sent SIGUSR2, he runs the file `fault.js` on the main thread. In a shard he waits for names that hold a word: one
// makes an allocation fail, the other fills the heap, which is kept small.

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type BuiltServer, type BuiltServerOptions, startBuiltServer } from './built-server.ts';

/** An allocation fails in a shard that is asked for a name with this in it. */
export const SCARCE = 'scarce';
/** A shard that is asked for a name with this in it runs out of memory. */
export const HOARD = 'hoard';

const SHARD_HEAP_MB = 48;
const PATIENCE_MS = 10_000;
const PACKAGE = fileURLToPath(new URL('../../package.json', import.meta.url));

const SABOTEUR = `
  import { createRequire, syncBuiltinESMExports } from 'node:module';
  import fs from 'node:fs';
  import threads from 'node:worker_threads';
  const require = createRequire(${JSON.stringify(PACKAGE)});
  const { slice } = Uint8Array.prototype;
  const { Worker } = threads;
  if (threads.isMainThread) {
    threads.Worker = class extends Worker {
      constructor(script, options) {
        super(script, { ...options, resourceLimits: { maxOldGenerationSizeMb: ${SHARD_HEAP_MB} } });
      }
    };
    syncBuiltinESMExports();
    process.on('SIGUSR2', () => {
      const code = fs.readFileSync('fault.js', 'utf8');
      fs.rmSync('fault.js');
      new Function('require', code)(require);
    });
  } else {
    Uint8Array.prototype.slice = function (...range) {
      const text = Buffer.from(this.buffer, this.byteOffset, Math.min(this.length, 64)).toString('latin1');
      if (text.includes('${SCARCE}')) throw new RangeError('Array buffer allocation failed');
      for (const hoard = []; text.includes('${HOARD}'); ) hoard.push(new Array(100_000).fill(hoard.length));
      return slice.apply(this, range);
    };
  }
`;

/** Closes every UDP socket of the process, as a bug elsewhere in it would. */
const CLOSE_UDP = `
  const fs = require('node:fs');
  const close = require('koffi').load(null).func('int close(int)');
  const inodes = ['udp', 'udp6'].flatMap((table) =>
    fs.readFileSync('/proc/self/net/' + table, 'utf8').trim().split('\\n').slice(1).map((line) => line.trim().split(/\\s+/)[9]));
  for (const fd of fs.readdirSync('/proc/self/fd')) {
    let target = '';
    try { target = fs.readlinkSync('/proc/self/fd/' + fd); } catch {}
    if (inodes.includes(/^socket:\\[(\\d+)\\]$/.exec(target)?.[1])) close(Number(fd));
  }
`;

export class FaultyServer {
  readonly server: BuiltServer;

  private constructor(server: BuiltServer) {
    this.server = server;
  }

  static async start(
    t: Parameters<typeof startBuiltServer>[0],
    options: Omit<BuiltServerOptions, 'prefix'> = {},
  ): Promise<FaultyServer> {
    const hook = `--import=data:text/javascript,${encodeURIComponent(SABOTEUR)}`;
    return new FaultyServer(await startBuiltServer(t, { ...options, prefix: ['env', `NODE_OPTIONS=${hook}`] }));
  }

  /** Resolves when all its UDP sockets are closed. */
  async closeUdpSockets(): Promise<void> {
    await this.#inflict(`${CLOSE_UDP} fs.writeFileSync('done', '');`);
  }

  /** Resolves when its main thread stands still. */
  async blockMainThread(ms: number): Promise<void> {
    const wait = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${ms})`;
    await this.#inflict(`require('node:fs').writeFileSync('done', ''); ${wait};`);
  }

  /** How many shards died and were replaced. */
  async replaced(): Promise<number> {
    return (await this.server.api('GET', '/v1/status')).body.dns.replaced;
  }

  /** The value of a metric, by its name and labels as they are printed; 0 when it is not there. */
  async metric(name: string): Promise<number> {
    const lines: string[] = (await this.server.api('GET', '/metrics')).body.split('\n');
    return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? 0);
  }

  async #inflict(code: string): Promise<void> {
    const [fault, done] = [join(this.server.folder, 'fault.js'), join(this.server.folder, 'done')];
    rmSync(done, { force: true });
    writeFileSync(fault, code);
    this.server.kill('SIGUSR2');
    const deadlineMs = performance.now() + PATIENCE_MS;
    while (!existsSync(done)) {
      if (performance.now() > deadlineMs) throw new Error(`the fault was not inflicted\n${this.server.stderr()}`);
      await sleep(5);
    }
  }
}
