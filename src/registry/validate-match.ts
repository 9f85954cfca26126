// validate-match.ts -- which instances a route or a tier means, from untrusted input

import type { InputObject } from './input.ts';
import { tagProblem } from './label.ts';
import type { InstanceMatch } from './policy.ts';

const MAX_TAGS = 16;
const MAX_META_KEYS = 16;

/** The required field `match` of a route or a tier. One that matches everything is refused. */
export function readMatch(owner: InputObject): InstanceMatch | undefined {
  if (!owner.has('match')) return owner.fail('match', 'is missing');
  const input = owner.object('match');
  if (input === undefined) return undefined;
  const tags = readTags(input);
  const meta = input.textMap('meta', MAX_META_KEYS, 1024);
  input.finish();
  const isEmpty = (tags?.length ?? 0) === 0 && Object.keys(meta ?? {}).length === 0;
  if (isEmpty && (!input.has('tags') || tags !== undefined) && (!input.has('meta') || meta !== undefined)) {
    return owner.fail('match', 'must name a tag or a metadata value: else it matches everything');
  }
  return { ...(tags === undefined ? {} : { tags }), ...(meta === undefined ? {} : { meta }) };
}

/** Do both match the same instances, whatever these are? */
export function isSameMatch(a: InstanceMatch, b: InstanceMatch): boolean {
  return matchText(a) === matchText(b);
}

/** The same text for matches that mean the same instances. */
export function matchText({ tags = [], meta = {} }: InstanceMatch): string {
  return JSON.stringify([tags.toSorted(), Object.entries(meta).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

function readTags(input: InputObject): string[] | undefined {
  const list = input.list('tags', MAX_TAGS);
  if (list === undefined) return undefined;
  const tags = new Set<string>();
  let isSound = true;
  for (const [index, each] of list.entries()) {
    const problem = typeof each === 'string' ? tagProblem(each) : 'must be a string';
    if (problem === undefined) tags.add((each as string).toLowerCase());
    else {
      input.fail(`tags[${index}]`, problem);
      isSound = false;
    }
  }
  return isSound ? [...tags] : undefined;
}
