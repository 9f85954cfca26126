// lmdb-process.test.ts -- the lmdb store and the processes that use it: killed, side by side, on a failing disk

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '../../src/base/log.ts';
import type { Store } from '../../src/registry/store.ts';
import { openLmdbStore } from '../../src/stores/lmdb.ts';
import { contents } from '../conformance/stores.ts';
import { requireTools } from '../support/tools.ts';

const WRITER = ['--import', 'tsx', fileURLToPath(new URL('../support/store-writer.ts', import.meta.url))];
const KILL_ROUNDS = 6;
const scratch = mkdtempSync(join(tmpdir(), 'rollcall-lmdb-process-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

function openIn(path: string): Promise<Store> {
  return openLmdbStore({ path, log: silentLogger });
}

interface Writer {
  readonly child: ChildProcess;
  readonly lines: string[];
  /** Resolves when the writer has said so many lines. */
  said(count: number): Promise<void>;
  /** Its exit code, once all it said was read. */
  readonly ended: Promise<number | null>;
  /** Kills it and waits until all it said was read. */
  kill(): Promise<void>;
}

function startWriter(folder: string, command = [process.execPath], commits = 'Infinity'): Writer {
  const [program = '', ...args] = [...command, ...WRITER, folder, commits];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  const ended = Promise.all([once(child, 'exit'), once(reader, 'close')]).then(([[code]]) => code as number | null);
  return {
    child,
    lines,
    ended,
    async said(count) {
      while (lines.length < count)
        await Promise.race([once(reader, 'line'), ended.then(() => assert.fail('it ended'))]);
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** For each writer, the number of its last acknowledged commit. */
function lastAcknowledged(lines: readonly string[]): Map<string, number> {
  const last = new Map<string, number>();
  for (const line of lines) {
    const [writer, number] = /^(\d) (\d+)$/.exec(line)?.slice(1) ?? [];
    if (writer !== undefined) last.set(writer, Number(number));
  }
  return last;
}

describe('lmdb and kill -9', () => {
  it('keeps every acknowledged commit whole and no half of another', async () => {
    const folder = join(scratch, 'killed');
    const acknowledged: string[] = [];
    for (let round = 0; round < KILL_ROUNDS; round++) {
      const writer = startWriter(folder);
      await writer.said(30 + round * 100);
      await writer.kill();
      acknowledged.push(...writer.lines);

      const store = await openIn(folder); // takes over the lock of the dead
      const found = await contents(store);
      const { revision } = await store.load();
      await store.close();
      let commits = 0;
      for (const [name, last] of lastAcknowledged(acknowledged)) {
        const stored = Number(found[`last/${name}`]?.[1]);
        // One more than was acknowledged may be durable: the kill came between the sync and the word of it.
        assert.ok(stored === last || stored === last + 1, `writer ${name}: ${last} acknowledged, ${stored} stored`);
        commits += stored + 1;
        for (let i = 0; i <= stored; i++) {
          assert.ok(found[`left/${name}/${i}`], `left/${name}/${i}`);
          assert.deepEqual(found[`left/${name}/${i}`], found[`right/${name}/${i}`]);
        }
      }
      assert.equal(Object.keys(found).length, 2 * commits + 4);
      assert.equal(revision, commits);
    }
  });
});

describe('lmdb and its lock', () => {
  it('refuses a second process and a second store, until the first is gone', async () => {
    const folder = join(scratch, 'locked');
    const store = await openIn(folder);
    await store.commit([{ key: 'k', value: 1 }]);
    await assert.rejects(openIn(folder), { code: 'store_locked', message: /is in use by this process/ });
    const second = startWriter(folder);
    await second.said(1);
    assert.deepEqual(second.lines, ['refused store_locked']);
    await second.kill();
    await store.commit([{ key: 'k', value: 2 }]);
    await store.close();

    const owner = startWriter(folder);
    await owner.said(2);
    await assert.rejects(openIn(folder), { message: new RegExp(`is in use by process ${owner.child.pid};`) });
    // An owner in another container cannot be judged by its lock: lmdb's table of readers shows it.
    const lock = join(folder, 'owner.lock');
    const elsewhere = readlinkSync(lock).replace(/\d*$/, '1');
    rmSync(lock);
    symlinkSync(elsewhere, lock);
    await assert.rejects(openIn(folder), { code: 'store_locked', message: /in use by another process/ });
    await owner.kill();
    await (await openIn(folder)).close();
  });

  it('takes over a stale lock, whatever is in it', async () => {
    const folder = join(scratch, 'stale');
    const lock = join(folder, 'owner.lock');
    let store = await openIn(folder);
    const mine = readlinkSync(lock);
    await store.close();
    // Longer ones need a block of their own on ext4, which a full disk does not have.
    assert.ok(mine.length < 60, mine);
    const [pid, started, boot, namespace] = mine.split('.');
    const stale: [string, string][] = [
      ['the same pid, used again', `${pid}.1.${boot}.${namespace}`],
      ['before a reboot', `${pid}.${started}.another.${namespace}`],
      ['no owner', 'elsewhere'],
    ];
    for (const [what, target] of stale) {
      // Without /proc there is only the pid, and these cannot be told from a live owner.
      if (started === '' && target.startsWith(`${pid}`)) continue;
      symlinkSync(target, lock);
      store = await openIn(folder);
      assert.equal(readlinkSync(lock), mine, what);
      await store.close();
      assert.equal(lstatSync(lock, { throwIfNoEntry: false }), undefined);
    }
    writeFileSync(lock, 'a file, not a link');
    await (await openIn(folder)).close();
    assert.deepEqual(readdirSync(folder), ['data.mdb', 'lock.mdb']);
  });

  it('lets one of many win a stale lock', async () => {
    const folder = join(scratch, 'contended');
    const first = startWriter(folder);
    await first.said(1);
    await first.kill();
    const writers = Array.from({ length: 5 }, () => startWriter(folder));
    await Promise.all(writers.map((writer) => writer.said(1)));
    const words = writers.map(({ lines }) => lines[0]).sort();
    await Promise.all(writers.map((writer) => writer.kill()));
    assert.deepEqual(words, ['open', ...Array.from({ length: 4 }, () => 'refused store_locked')]);
  });
});

describe('lmdb and the disk', () => {
  it('syncs before it acknowledges', async (t) => {
    if (!(await requireTools(t, { strace: 'strace' }))) return;
    const trace = join(scratch, 'trace');
    const strace = ['strace', '-f', '-o', trace, '-e', 'trace=fdatasync,pwrite64,write', process.execPath];
    const writer = startWriter(join(scratch, 'synced'), strace, '5');
    await writer.ended;
    let synced = false;
    let metaWritten = false;
    let acknowledged = 0;
    for (const line of readFileSync(trace, 'utf8').split('\n')) {
      if (/fdatasync.*= 0/.test(line)) synced = true;
      // The meta page goes through a descriptor opened with O_DSYNC; it is 128 bytes, or pages where it is not.
      else if (synced && /pwrite64.*, 128, \d+\)? *= 128|pwrite64 resumed>\) *= 128/.test(line)) metaWritten = true;
      else if (/write\(1, "\d \d+\\n"/.test(line)) {
        assert.ok(synced && metaWritten, `acknowledged before it was on disk: ${line}`);
        acknowledged += 1;
      } else if (/pwrite64/.test(line)) {
        synced = false;
        metaWritten = false;
      }
    }
    assert.equal(acknowledged, 20);
  });

  it('reports a failed sync as store_unavailable, and recovers by itself', async (t) => {
    if (!(await requireTools(t, { strace: 'strace' }))) return;
    const folder = join(scratch, 'unsynced');
    const strace = ['strace', '-f', '-o', '/dev/null', '-e', 'inject=fdatasync:error=EIO:when=4..6'];
    const writer = startWriter(folder, ['env', 'UV_THREADPOOL_SIZE=1', ...strace, process.execPath], '10');
    await writer.ended;
    // Four writers share each sync: three syncs fail all four.
    const failed = writer.lines.filter((line) => line.startsWith('failed'));
    assert.deepEqual(
      failed,
      Array.from({ length: 12 }, () => 'failed store_unavailable false'),
    );
    await assertOnlyAcknowledged(folder, writer.lines, 28);
  });

  it('gets over a header page that could not be written, as the very last write too', async (t) => {
    if (!(await requireTools(t, { strace: 'strace' }))) return;
    // The first pages are written alike each time; the eighth is the header page of the fifth group or so.
    for (const commits of ['5', '6', '9']) {
      const folder = join(scratch, `unheaded.${commits}`);
      const trace = join(scratch, `trace.${commits}`);
      const strace = ['strace', '-f', '-o', trace, '-e', 'trace=pwrite64', '-e', 'inject=pwrite64:error=EIO:when=8'];
      const writer = startWriter(folder, ['env', 'UV_THREADPOOL_SIZE=1', ...strace, process.execPath], commits);
      await writer.ended;
      const injected = /pwrite64\(.*, (\d+), \d+\)? *= -1 EIO .*INJECTED/.exec(readFileSync(trace, 'utf8'));
      if (injected?.[1] !== '128') continue; // it hit another page: that is not what is asked here
      const failed = writer.lines.filter((line) => line.startsWith('failed'));
      await assertOnlyAcknowledged(folder, writer.lines, 4 * Number(commits) - failed.length);
    }
  });

  it('refuses writes while the disk is full, and keeps what it has', async (t) => {
    const disk = join(scratch, 'disk');
    const copy = join(scratch, 'copy');
    mkdirSync(disk);
    // A namespace of its own, so that the mount goes with the process.
    const script = 'mount -t tmpfs -o size=17m none "$0" || exit 99; copy=$1; shift; "$@" && cp -r "$0/store" "$copy"';
    const command = ['unshare', '-rm', 'sh', '-c', script, disk, copy, process.execPath];
    const writer = startWriter(join(disk, 'store'), command, '600');
    const code = await writer.ended;
    if (code === 1 || code === 99) return t.skip(`no namespace of our own here: exit code ${code}`);
    assert.equal(code, 0);
    const failed = writer.lines.filter((line) => line.startsWith('failed'));
    const acknowledged = writer.lines.length - 1 - failed.length;
    assert.ok(failed.length > 0 && acknowledged > 100, `${failed.length} failed, ${acknowledged} acknowledged`);
    assert.deepEqual([...new Set(failed)], ['failed store_unavailable false']);
    await assertOnlyAcknowledged(copy, writer.lines, acknowledged);
  });
});

describe('lmdb on a disk that fills up', () => {
  it('says store_unavailable where not even the lock can be made', async (t) => {
    const disk = join(scratch, 'no-inode');
    mkdirSync(disk);
    const claim = fileURLToPath(new URL('../../src/stores/store-claim.ts', import.meta.url));
    const program = `import { ownFolder } from '${claim}'; try { ownFolder('${disk}') } catch (e) { console.log(e.code) }`;
    // One inode, and the root has it.
    const script = 'mount -t tmpfs -o nr_inodes=1 none "$0" || exit 99; "$@"';
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', program];
    const inNamespace = ['unshare', '-rm', 'sh', '-c', script, disk];
    const child = spawn('env', [...inNamespace, ...node], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [said, complained] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    if (/unshare|mount/.test(complained)) return t.skip(`no namespace of our own here: ${complained}`);
    assert.equal(said, 'store_unavailable\n', complained);
  });

  it('refuses writes, reads on, and writes again by itself when there is room', async (t) => {
    const disk = join(scratch, 'filling');
    mkdirSync(disk);
    const script = 'mount -t tmpfs -o size=24m none "$0" || exit 99; "$@"';
    const program = fileURLToPath(new URL('../support/full-disk.ts', import.meta.url));
    const inNamespace = ['unshare', '-rm', 'sh', '-c', script, disk];
    const args = [...inNamespace, process.execPath, '--import', 'tsx', program, join(disk, 'store')];
    const child = spawn('env', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const [said, complained] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    if (/unshare|mount/.test(complained)) return t.skip(`no namespace of our own here: ${complained}`);
    assert.deepEqual(JSON.parse(said || `"${complained}"`), {
      ...{ before: 1, during: ['store_unavailable', 'store_unavailable'], isUp: false, records: 1 },
      ...{ recovered: true, after: 2 },
    });
  });
});

/** The store holds the commits that were acknowledged, and no others. */
async function assertOnlyAcknowledged(folder: string, lines: readonly string[], count: number): Promise<void> {
  const store = await openIn(folder);
  const found = await contents(store);
  await store.close();
  const acknowledged = lines.filter((line) => /^\d \d+$/.test(line));
  assert.equal(acknowledged.length, count);
  for (const line of acknowledged) assert.ok(found[`left/${line.replace(' ', '/')}`], line);
  assert.equal(Object.keys(found).length, 2 * count + 4);
}
