// packed-project.ts -- an empty project into which the packed package was installed, as its users do

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildOnce } from './built-server.ts';
import { type RunResult, run } from './tools.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PACK_TIMEOUT_MS = 60_000;
const INSTALL_TIMEOUT_MS = 300_000;
/** What npm says when it does not reach its registry. */
const OFFLINE = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED)\b/;

export interface PackedProject {
  readonly folder: string;
  /** The installed package. */
  readonly package: string;
}

/**
 * Pack the built package and install it, with others from the registry (`name@version`), into a folder of its own that
 * the caller removes. A text says why that cannot be done here: there is no registry. With `CI` set that is an error.
 */
export async function installPacked(others: readonly string[]): Promise<PackedProject | string> {
  await buildOnce();
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-package-'));
  const packed = join(folder, 'packed');
  mkdirSync(packed);
  const packing = await npm(['pack', ROOT, '--ignore-scripts', '--pack-destination', packed], folder, PACK_TIMEOUT_MS);
  assert.equal(packing.exitCode, 0, packing.stderr);
  const [archive] = readdirSync(packed);
  writeFileSync(join(folder, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }\n');
  const args = ['install', '--prefer-offline', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund'];
  const installing = await npm([...args, join(packed, archive!), ...others], folder, INSTALL_TIMEOUT_MS);
  if (installing.exitCode === 0) return { folder, package: join(folder, 'node_modules/rollcall') };
  rmSync(folder, { recursive: true, force: true });
  const isOffline = installing.timedOut || OFFLINE.test(installing.stderr);
  assert.ok(isOffline && !process.env.CI, `npm install failed:\n${installing.stderr}`);
  return 'the package registry cannot be reached';
}

/** By the npm that runs us, where one does. */
function npm(args: readonly string[], cwd: string, timeoutMs: number): Promise<RunResult> {
  const script = process.env.npm_execpath;
  // npm tells the programs that it runs what it was told itself; the project of its own is not ours.
  const env = Object.fromEntries(
    Object.keys(process.env).flatMap((key) =>
      /^npm_(?:package_|config_local_prefix$)/.test(key) ? [[key, undefined]] : [],
    ),
  );
  return script?.endsWith('.js')
    ? run(process.execPath, [script, ...args], { cwd, env, timeoutMs })
    : run('npm', args, { cwd, env, timeoutMs });
}
