// read-health.ts -- the `health` section: what checks take over, and how far they may reach

import { parseNetwork } from '../base/ip.ts';
import { type DampingSettings, DEFAULT_DAMPING } from '../health/damping.ts';
import type { InputObject } from '../registry/input.ts';
import { readNetworks, section } from '../registry/input-forms.ts';
import type { HealthConfig } from './config.ts';
import type { SectionSource } from './section.ts';

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
    jitter: input.number('jitter', 0, 0.5) ?? 0.1,
    concurrency: input.integer('concurrency', 1, 100_000) ?? 512,
    perHost: input.integer('perHost', 1, 100_000) ?? 128,
    damping: readDamping(input),
    ...readReplicas(input),
    allowExec: input.boolean('allowExec') ?? false,
    allow: readNetworks(input, 'allow') ?? [],
    deny: readNetworks(input, 'deny') ?? DENIED.flatMap((name) => parseNetwork(name)!),
  };
  input.finish();
  return config;
}

const MOST_NODES = 100;

/** A quorum that can never be reached would leave what is down in the answers. */
function readReplicas(input: InputObject): Pick<HealthConfig, 'replicas' | 'quorum'> {
  const replicas = countOr(input, 'replicas', 'all') ?? 2;
  const quorum = countOr(input, 'quorum', 'majority') ?? 'majority';
  if (typeof replicas === 'number' && typeof quorum === 'number' && quorum > replicas) {
    input.fail('quorum', `must not be more than replicas, which is ${replicas}`);
  }
  return { replicas, quorum };
}

function countOr<Word extends string>(
  input: InputObject,
  key: 'replicas' | 'quorum',
  word: Word,
): number | Word | undefined {
  const value = input.raw(key);
  if (value === undefined) return undefined;
  if (value === word) return word;
  if (typeof value === 'number') return input.integer(key, 1, MOST_NODES);
  return input.fail(key, `must be ${word} or a whole number from 1 to ${MOST_NODES}`);
}

const MOST_PENALTY = 1_000_000;

function readDamping(health: InputObject): DampingSettings {
  const input = section(health, 'damping');
  const stated = (key: 'penalty' | 'suppress' | 'reuse' | 'max', least: number): number =>
    input.number(key, least, MOST_PENALTY) ?? DEFAULT_DAMPING[key];
  const damping: DampingSettings = {
    penalty: stated('penalty', 0),
    halfLifeMs: input.duration('halfLife', 1000, DAY_MS) ?? DEFAULT_DAMPING.halfLifeMs,
    suppress: stated('suppress', LEAST_THRESHOLD),
    reuse: stated('reuse', LEAST_THRESHOLD),
    max: stated('max', LEAST_THRESHOLD),
  };
  const { suppress, reuse, max } = damping;
  if (reuse >= suppress) input.fail('reuse', `must be less than suppress, which is ${suppress}`);
  if (max < suppress) input.fail('max', `must be at least suppress, which is ${suppress}`);
  input.finish();
  return damping;
}

/** Below it a penalty counts as faded away. */
const LEAST_THRESHOLD = 0.01;
