// entity-tag.ts -- revisions as ETags, and If-Match (RFC 9110 section 13.1.1)

import type { FastifyRequest } from 'fastify';
import { CodedError } from '../base/errors.ts';

/** `"7"`. */
export function entityTag(revision: number): string {
  return `"${revision}"`;
}

/** Tags of a header that lists them. */
export function listedTags(header: string): string[] {
  return header.split(',').map((tag) => tag.trim());
}

/**
 * The revision that a conditional write insists on; undefined without If-Match. `current` is the present one, 0 when
 * there is nothing yet. Throws CodedError `precondition_failed`: weak and foreign tags match nothing.
 */
export function requiredRevision(request: FastifyRequest, current: number): number | undefined {
  const header = request.headers['if-match'];
  if (header === undefined) return undefined;
  const tags = listedTags(header);
  const exists = current > 0;
  if (exists && (tags.includes('*') || tags.includes(entityTag(current)))) return current;
  const state = exists ? `it is at ${entityTag(current)}` : 'there is none';
  throw new CodedError('precondition_failed', `If-Match does not hold: ${state}`);
}
