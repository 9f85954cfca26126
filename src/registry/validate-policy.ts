// validate-policy.ts -- policies from untrusted input

import { Findings, InputObject } from './input.ts';
import { type Policy, STRATEGY_NAMES, WHEN_ALL_UNHEALTHY } from './policy.ts';
import { readTtlSeconds } from './validate-instance.ts';

const LATER_STRATEGIES = ['least-connections', 'latency', 'hash', 'subset', 'failover'];
const LATER_KEYS = ['srvWeightScale', 'oneSubnetPerAnswer', 'routes', 'tiers', 'affinity', 'slowStart', 'steps'];
/** The most records one answer may be asked to hold. */
export const MAX_ANSWERS = 1000;

/** Read a policy. Throws CodedError `invalid` (every problem in its details) or `not_supported`. */
export function readPolicy(value: unknown): Policy {
  const findings = new Findings();
  const input = InputObject.of(value, '', findings);
  const strategy = input?.oneOf('strategy', STRATEGY_NAMES, LATER_STRATEGIES);
  const maxAnswers = input?.integer('maxAnswers', 1, MAX_ANSWERS);
  const ttlSeconds = input === undefined ? undefined : readTtlSeconds(input);
  const whenAllUnhealthy = input?.oneOf('whenAllUnhealthy', WHEN_ALL_UNHEALTHY);
  const minHealthyFraction = input?.number('minHealthyFraction', 0, 1);
  const warningWeight = input?.number('warningWeight', 0, 1);
  for (const key of LATER_KEYS) input?.unsupported(key);
  input?.finish();
  findings.throwAny('policy');
  return {
    ...(strategy === undefined ? {} : { strategy }),
    ...(maxAnswers === undefined ? {} : { maxAnswers }),
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(whenAllUnhealthy === undefined ? {} : { whenAllUnhealthy }),
    ...(minHealthyFraction === undefined ? {} : { minHealthyFraction }),
    ...(warningWeight === undefined ? {} : { warningWeight }),
  };
}
