// config-text.ts -- configurations of text, in a folder of their own

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatProblem } from '../../src/base/errors.ts';
import { type LoadedConfig, loadConfig } from '../../src/config/load-config.ts';

/** Removed when this process ends. */
export const FOLDER = mkdtempSync(join(tmpdir(), 'rollcall-config-'));
process.once('exit', () => rmSync(FOLDER, { recursive: true }));

/** What a value that should be a network, or a time, is told. */
export const NETWORK =
  'is not a network like 10.0.0.0/8 without host bits, nor one of loopback, private, link-local, multicast, unspecified';
export const TIME = 'must be a time with a unit, like "5s" or "500ms"';

/** Load `rollcall.yaml` of this text; undefined: there is none. */
export function load(text: string | undefined, env: Record<string, string> = {}, cwd = FOLDER): LoadedConfig {
  const file = join(cwd, 'rollcall.yaml');
  if (text === undefined) rmSync(file, { force: true });
  else writeFileSync(file, text);
  return loadConfig({ env, cwd });
}

/** The same for one without problems. */
export function loadValid(
  text: string | undefined,
  env: Record<string, string> = {},
): NonNullable<LoadedConfig['config']> {
  const { config, problems } = load(text, env);
  assert.deepEqual(problems.map(formatProblem), []);
  return config!;
}
