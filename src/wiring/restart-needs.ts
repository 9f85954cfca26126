// restart-needs.ts -- which changes of the configuration a reload does not take up

import type { Problem } from '../base/errors.ts';
import type { Config } from '../config/config.ts';

/** Times and counts of `health` are for whatever is registered from then on. */
const HEALTH_KEYS = [
  'jitter',
  'concurrency',
  'perHost',
  'damping',
  'replicas',
  'quorum',
  'allowExec',
  'allow',
  'deny',
] as const;

/** Warnings for settings that a reload does not touch. `before`: as the server was started. */
export function needRestart(before: Config, after: Config): Problem[] {
  const pairs: [string, unknown, unknown][] = [
    ['store', before.store, after.store],
    ...HEALTH_KEYS.map((key) => [`health.${key}`, before.health[key], after.health[key]] as [string, unknown, unknown]),
    ['dns.workers', before.dns.workers, after.dns.workers],
  ];
  return pairs
    .filter(([, old, now]) => JSON.stringify(old) !== JSON.stringify(now))
    .map(([key]) => ({
      file: after.file ?? 'environment',
      line: 0,
      column: 0,
      message: `the change of '${key}' takes effect after a restart`,
      severity: 'warning',
    }));
}
