// probe-target.ts -- checks and probe targets with everything filled in but what a test cares about

import type { CheckSpec, CheckType } from '../../src/health/check-spec.ts';
import type { ProbeTarget } from '../../src/health/checker.ts';

export function checkSpec(type: CheckType, parts: Partial<CheckSpec> = {}): CheckSpec {
  return { id: 'check-1', type, intervalMs: 5000, timeoutMs: 2000, rise: 2, fall: 3, ...parts };
}

export function probeTarget(check: CheckSpec, parts: Partial<Omit<ProbeTarget, 'check'>> = {}): ProbeTarget {
  return { instanceId: 'cart-1', service: 'cart', address: '127.0.0.1', port: 9, check, ...parts };
}
