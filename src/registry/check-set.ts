// check-set.ts -- the checks of an instance with one more, one replaced, or one fewer

import { CodedError } from '../base/errors.ts';
import type { CheckSpec } from '../health/check-spec.ts';
import type { Instance } from './instance.ts';

/** The instance with this check in the place of the one with its id, or behind the others. */
export function withCheck(instance: Instance, check: CheckSpec): Instance {
  const { checks } = instance;
  const at = checks.findIndex((each) => each.id === check.id);
  return { ...instance, checks: at < 0 ? [...checks, check] : checks.with(at, check) };
}

/** The instance without this check. Throws CodedError `unknown_check`. */
export function withoutCheck(instance: Instance, checkId: string): Instance {
  const checks = instance.checks.filter((each) => each.id !== checkId);
  if (checks.length < instance.checks.length) return { ...instance, checks };
  throw new CodedError('unknown_check', `instance '${instance.id}' has no check '${checkId}'`);
}
