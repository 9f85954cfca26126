// validate-policy.ts -- policies from untrusted input

import { Findings, InputObject } from './input.ts';
import { type Policy, STRATEGY_NAMES, WHEN_ALL_UNHEALTHY } from './policy.ts';
import { readTtlSeconds } from './validate-instance.ts';
import { readRoutes } from './validate-routes.ts';
import { readTimed } from './validate-steps.ts';
import { readAffinity, readTiers } from './validate-tiers.ts';

/** Weights end at 65535; smaller parts of them make all alike. */
const MAX_SRV_SCALE = 65535;
const MIN_SRV_SCALE = 0.001;
/** The most records one answer may be asked to hold. */
export const MAX_ANSWERS = 1000;

/**
 * Read a policy. Throws CodedError `invalid` (every problem in its details) or `not_supported`. `path`: where it stands
 * in what was sent.
 */
export function readPolicy(value: unknown, path = ''): Policy {
  const findings = new Findings();
  const input = InputObject.of(value, path, findings);
  const strategy = input?.oneOf('strategy', STRATEGY_NAMES);
  const maxAnswers = input?.integer('maxAnswers', 1, MAX_ANSWERS);
  const ttlSeconds = input === undefined ? undefined : readTtlSeconds(input);
  const whenAllUnhealthy = input?.oneOf('whenAllUnhealthy', WHEN_ALL_UNHEALTHY);
  const minHealthyFraction = input?.number('minHealthyFraction', 0, 1);
  const warningWeight = input?.number('warningWeight', 0, 1);
  const srvWeightScale = input?.number('srvWeightScale', MIN_SRV_SCALE, MAX_SRV_SCALE);
  const oneSubnetPerAnswer = input?.boolean('oneSubnetPerAnswer');
  const routes = input === undefined ? undefined : readRoutes(input);
  const tiers = input === undefined ? undefined : readTiers(input);
  const affinity = input === undefined ? undefined : readAffinity(input);
  const timed = input === undefined ? {} : readTimed(input);
  input?.finish();
  findings.throwAny('policy');
  return {
    ...(strategy === undefined ? {} : { strategy }),
    ...(maxAnswers === undefined ? {} : { maxAnswers }),
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(whenAllUnhealthy === undefined ? {} : { whenAllUnhealthy }),
    ...(minHealthyFraction === undefined ? {} : { minHealthyFraction }),
    ...(warningWeight === undefined ? {} : { warningWeight }),
    ...(srvWeightScale === undefined ? {} : { srvWeightScale }),
    ...(oneSubnetPerAnswer === undefined ? {} : { oneSubnetPerAnswer }),
    ...(routes === undefined ? {} : { routes }),
    ...(tiers === undefined ? {} : { tiers }),
    ...(affinity === undefined ? {} : { affinity }),
    ...timed,
  };
}
