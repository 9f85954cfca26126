// read-rate-limit.ts -- the `dns.rateLimit` section

import { parseNetwork } from '../base/ip.ts';
import type { InputObject } from '../registry/input.ts';
import { readNetworks } from '../registry/input-forms.ts';
import type { RateLimitConfig } from './config.ts';

const MAX_RESPONSES_PER_SECOND = 1_000_000;
const MAX_SLIP = 100;
/** One cut reply for each one dropped, as NSD and BIND do. */
const DEFAULT_SLIP = 2;
const DEFAULT_IPV4_PREFIX = 24;
const DEFAULT_IPV6_PREFIX = 56;

/** Read the section, its defaults filled in; what is wrong goes to the findings of the input. */
export function readRateLimit(input: InputObject): RateLimitConfig {
  const config = {
    responsesPerSecond: readResponses(input),
    slip: input.integer('slip', 0, MAX_SLIP) ?? DEFAULT_SLIP,
    ipv4PrefixBits: input.integer('ipv4Prefix', 1, 32) ?? DEFAULT_IPV4_PREFIX,
    ipv6PrefixBits: input.integer('ipv6Prefix', 1, 128) ?? DEFAULT_IPV6_PREFIX,
    exempt: readNetworks(input, 'exempt') ?? [...parseNetwork('loopback')!, ...parseNetwork('private')!],
  };
  input.finish();
  return config;
}

/** 0 is off. */
function readResponses(input: InputObject): number | 'auto' {
  const value = input.raw('responsesPerSecond');
  if (value === undefined || value === 'auto') return 'auto';
  if (typeof value === 'number') return input.integer('responsesPerSecond', 0, MAX_RESPONSES_PER_SECOND) ?? 'auto';
  return input.fail('responsesPerSecond', `must be auto or a whole number up to ${MAX_RESPONSES_PER_SECOND}`) ?? 'auto';
}
