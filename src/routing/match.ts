// match.ts -- whether a route or a tier means an instance

import type { AnsweringInstance } from '../registry/member.ts';
import type { InstanceMatch } from '../registry/policy.ts';

/** Has the instance all of the tags and all of the metadata? */
export function isMatch({ tags = [], meta = {} }: InstanceMatch, instance: AnsweringInstance): boolean {
  return (
    tags.every((tag) => instance.tags.includes(tag)) &&
    Object.entries(meta).every(([key, value]) => Object.hasOwn(instance.meta, key) && instance.meta[key] === value)
  );
}
