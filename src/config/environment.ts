// environment.ts -- what ROLLCALL_* variables say: a configuration key each, its value in YAML

import type { Problem } from '../base/errors.ts';
import { CLIENT_VARIABLES, CONFIG_KEYS, nearestWord, PREFIX } from './config-keys.ts';
import { type Places, readYaml } from './yaml-source.ts';

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A key that the environment sets. */
export interface Override {
  readonly path: string;
  readonly value: unknown;
  /** Relative to the value. */
  readonly places: ReadonlyMap<string, Places>;
}

/** Every override, sections before the keys in them, and what is wrong with the variables. An empty one is not set. */
export function readEnvironment(env: Environment): { overrides: Override[]; problems: Problem[] } {
  const overrides: Override[] = [];
  const problems: Problem[] = [];
  for (const { path, variable } of CONFIG_KEYS) {
    const text = variable === undefined ? undefined : env[variable];
    if (text === undefined || text.trim() === '') continue;
    const source = readYaml(text, `environment ${variable}`, { locate: false });
    problems.push(...source.problems);
    if (source.problems.length === 0) overrides.push({ path, value: source.value, places: source.places });
  }
  return { overrides, problems: [...problems, ...warnOfUnknown(env)] };
}

function warnOfUnknown(env: Environment): Problem[] {
  const variables = CONFIG_KEYS.flatMap(({ variable }) => variable ?? []);
  const expected = new Set([...variables, ...CLIENT_VARIABLES]);
  const known = variables.map((name) => name.slice(PREFIX.length));
  const unknown = Object.keys(env).filter((name) => name.startsWith(PREFIX) && !expected.has(name));
  return unknown.sort().map((name) => {
    const nearest = nearestWord(name.slice(PREFIX.length), known);
    const hint = nearest === undefined ? '' : `; did you mean ${PREFIX}${nearest}?`;
    const message = `is not the name of any key${hint}`;
    return { file: `environment ${name}`, line: 0, column: 0, message, severity: 'warning' };
  });
}
