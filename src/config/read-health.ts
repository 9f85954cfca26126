// read-health.ts -- the `health` section: what checks take over, and how far they may reach

import { parseNetwork } from '../base/ip.ts';
import type { HealthConfig } from './config.ts';
import { readNetworks, type SectionSource, section } from './section.ts';

const DAY_MS = 86_400_000;
const DENIED = ['link-local', 'multicast', 'unspecified'];

/** Read the section. */
export function readHealth(source: SectionSource): HealthConfig {
  const input = section(source.root, 'health');
  const intervalMs = input.duration('interval', 100, DAY_MS) ?? 5000;
  const statedTimeoutMs = input.duration('timeout', 10, DAY_MS);
  if (statedTimeoutMs !== undefined && statedTimeoutMs > intervalMs) {
    input.fail('timeout', 'must not be longer than the interval');
  }
  const config: HealthConfig = {
    intervalMs,
    timeoutMs: statedTimeoutMs ?? Math.min(2000, intervalMs),
    rise: input.integer('rise', 1, 100) ?? 2,
    fall: input.integer('fall', 1, 100) ?? 3,
    jitter: 0.1,
    concurrency: input.integer('concurrency', 1, 100_000) ?? 512,
    allowExec: input.boolean('allowExec') ?? false,
    allow: readNetworks(input, 'allow') ?? [],
    deny: readNetworks(input, 'deny') ?? DENIED.flatMap((name) => parseNetwork(name)!),
  };
  const jitter = input.raw('jitter');
  const isFraction = typeof jitter === 'number' && jitter >= 0 && jitter <= 0.5;
  if (jitter !== undefined && !isFraction) input.fail('jitter', 'must be a number from 0 to 0.5');
  input.finish();
  return isFraction ? { ...config, jitter } : config;
}
