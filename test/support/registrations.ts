// registrations.ts -- instances and checks for tests of the registry, with everything filled in that a test leaves out

import { CodedError, type ErrorDetail } from '../../src/base/errors.ts';
import type { CheckSpec, Outcome, ProbeResult } from '../../src/health/check-spec.ts';
import type { Instance } from '../../src/registry/instance.ts';

/** An instance of `web` at 10.0.0.1:80 without checks. */
export function anInstance(parts: Partial<Instance> = {}): Instance {
  return {
    id: 'a',
    service: 'web',
    address: '10.0.0.1',
    port: 80,
    ports: {},
    tags: [],
    meta: {},
    weight: 1,
    checks: [],
    ...parts,
  };
}

/** A TCP check. */
export function aCheck(id = 'alive', parts: Partial<CheckSpec> = {}): CheckSpec {
  return {
    id,
    type: 'tcp',
    host: '10.0.0.1',
    port: 80,
    intervalMs: 5000,
    timeoutMs: 2000,
    rise: 2,
    fall: 3,
    ...parts,
  };
}

export function aResult(outcome: Outcome, output = ''): ProbeResult {
  return { outcome, output, latencyMs: 1 };
}

/** What a CodedError that `action` throws says: its code and details. */
export function refusal(action: () => unknown): { code: string; details: readonly ErrorDetail[] } {
  try {
    action();
  } catch (error) {
    if (error instanceof CodedError) return { code: error.code, details: error.details };
    throw error;
  }
  throw new Error('nothing was refused');
}
