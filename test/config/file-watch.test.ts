// file-watch.test.ts -- changes of files, seen by their folders, also while the list of files changes

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { FileWatch } from '../../src/config/file-watch.ts';

const PATIENCE_MS = 5000;

function setUp(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-watch-'));
  let tell = (): void => {};
  const watch = new FileWatch({ clock: systemClock, log: silentLogger, onChange: () => tell() });
  t.after(() => {
    watch.stop();
    rmSync(folder, { recursive: true });
  });
  /** Resolves when the next change is told. */
  const told = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no change was told')), PATIENCE_MS);
      tell = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  return { folder, watch, told };
}

describe('a watch on files', () => {
  it('tells of a change that came just before the list of files was exchanged', async (t) => {
    const { folder, watch, told } = setUp(t);
    const file = join(folder, 'rollcall.yaml');
    writeFileSync(file, '');
    watch.follow([file], []);
    const change = told();
    writeFileSync(file, 'dns: {}');
    watch.follow([file, join(folder, 'cert.pem')], []);
    await change;
  });

  it('sees a volume of Kubernetes exchanged', async (t) => {
    const { folder, watch, told } = setUp(t);
    for (const name of ['..1', '..2']) mkdirSync(join(folder, name));
    for (const name of ['..1', '..2']) writeFileSync(join(folder, name, 'tls.crt'), name);
    symlinkSync('..1', join(folder, '..data'));
    symlinkSync('..data/tls.crt', join(folder, 'tls.crt'));
    watch.follow([join(folder, 'tls.crt')], []);
    const change = told();
    symlinkSync('..2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    await change;
  });

  it('watches a folder that took the place of another', async (t) => {
    const { folder, watch, told } = setUp(t);
    const zones = join(folder, 'zones');
    mkdirSync(zones);
    watch.follow([], [zones]);
    renameSync(zones, join(folder, 'old'));
    mkdirSync(zones);
    watch.follow([], [zones]);
    const change = told();
    writeFileSync(join(zones, 'example.test.zone'), '');
    await change;
  });

  it('does not care about other files', async (t) => {
    const { folder, watch, told } = setUp(t);
    const file = join(folder, 'rollcall.yaml');
    writeFileSync(file, '');
    watch.follow([file], []);
    const change = told();
    let isTold = false;
    void change.then(() => {
      isTold = true;
    });
    writeFileSync(join(folder, 'notes.txt'), '');
    // Longer than changes take to settle.
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(isTold, false);
    writeFileSync(file, 'dns: {}');
    await change;
  });
});
