// namespace.ts -- a network and mount namespace with its own loopback and its own files, held open by a sleeping process

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { requireTools, run, spawnServer } from './tools.ts';

/** What a command is preceded by to run in the namespace. */
export type Prefix = readonly string[];

/**
 * Make a namespace in which the given files, which must exist outside, have other contents. Undefined when that is not
 * possible here and the test was skipped; in CI that is an error. It ends with the test.
 */
export async function openNamespace(
  t: TestContext,
  files: Readonly<Record<string, string>>,
): Promise<Prefix | undefined> {
  const tools = { unshare: 'util-linux', nsenter: 'util-linux', mount: 'mount', ip: 'iproute2' };
  if (!(await requireTools(t, tools))) return undefined;
  const attempt = await run('unshare', ['--net', '--mount', 'true']);
  if (attempt.exitCode !== 0) {
    if (process.env.CI) throw new Error(`no namespaces here: ${attempt.stderr}`);
    t.skip(`no namespaces here: ${attempt.stderr.trim()}`);
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-namespace-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const mounts = Object.entries(files).map(([path, text], index) => {
    const stand = join(folder, String(index));
    writeFileSync(stand, text);
    return `mount --bind '${stand}' '${path}'`;
  });
  const script = ['ip link set lo up', ...mounts, 'echo is up', 'exec sleep 600'].join(' && ');
  const holder = await spawnServer(t, 'unshare', ['--net', '--mount', 'sh', '-c', script], { ready: /is up/ });
  // The working folder is then the root: paths have to be absolute.
  return ['nsenter', '--net', '--mount', '--target', String(holder.pid), '--'];
}
