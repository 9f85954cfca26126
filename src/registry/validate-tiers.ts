// validate-tiers.ts -- tiers and affinity of policies from untrusted input

import { InputObject } from './input.ts';
import { AFFINITY_BY, AFFINITY_MODES, type Affinity, type Tier } from './policy.ts';
import { isSameMatch, readMatch } from './validate-match.ts';

const MAX_TIERS = 16;

/** The field `tiers`; undefined when not stated, or an empty list. What is wrong goes to the input's findings. */
export function readTiers(input: InputObject): readonly Tier[] | undefined {
  const list = input.list('tiers', MAX_TIERS);
  if (list === undefined || list.length === 0) return undefined;
  const tiers = list.map((value, index) => {
    const each = InputObject.of(value, input.at(`tiers[${index}]`), input.findings);
    return each === undefined ? undefined : readTier(each);
  });
  for (const [index, tier] of tiers.entries()) {
    const first = tiers.findIndex(
      (each) => each !== undefined && tier !== undefined && isSameMatch(each.match, tier.match),
    );
    if (first < 0 || first === index) continue;
    input.fail(`tiers[${index}].match`, `is that of tiers[${first}], which takes all its instances`);
  }
  return tiers.every((tier) => tier !== undefined) ? tiers : undefined;
}

function readTier(input: InputObject): Tier | undefined {
  const match = readMatch(input);
  const spillBelow = input.number('spillBelow', 0, 1);
  input.finish();
  if (match === undefined) return undefined;
  return { match, ...(spillBelow === undefined ? {} : { spillBelow }) };
}

/** The field `affinity`; undefined when not stated. */
export function readAffinity(input: InputObject): Affinity | undefined {
  const object = input.object('affinity');
  if (object === undefined) return undefined;
  const by = object.oneOf('by', AFFINITY_BY);
  if (!object.has('by')) object.fail('by', 'is missing');
  const mode = object.oneOf('mode', AFFINITY_MODES);
  object.finish();
  return by === undefined ? undefined : { by, ...(mode === undefined ? {} : { mode }) };
}
