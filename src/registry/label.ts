// label.ts -- which words may become DNS labels (contract section 2: what cannot be asked cannot be registered)

import { CodedError } from '../base/errors.ts';

const LABEL = /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/i;
const PORT_NAME = /^(?=.*[a-z])[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){0,14}$/i;
const ID = /^[A-Za-z0-9._:@-]{1,128}$/;
const HOST_LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;

const RESERVED_SERVICES = new Set(['addr', 'ns', 'dns-sd']);
const RESERVED_TAGS = new Set(['tcp', 'udp', 'addr']);
const TREACHEROUS_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/** What is wrong with a service name; undefined when it is fine. */
export function serviceProblem(name: string): string | undefined {
  if (!LABEL.test(name)) return 'a service is 1 to 63 letters, digits, - or _, with a letter or digit at both ends';
  return RESERVED_SERVICES.has(name.toLowerCase()) ? `'${name}' is a reserved service name` : undefined;
}

/** What is wrong with a tag; undefined when it is fine. */
export function tagProblem(tag: string): string | undefined {
  if (!LABEL.test(tag)) return 'a tag is 1 to 63 letters, digits, - or _, with a letter or digit at both ends';
  return RESERVED_TAGS.has(tag.toLowerCase()) ? `'${tag}' is a reserved tag` : undefined;
}

/** What is wrong with a port name (RFC 6335 section 5.1); undefined when it is fine. */
export function portNameProblem(name: string): string | undefined {
  return PORT_NAME.test(name)
    ? undefined
    : 'a port name is 1 to 15 letters, digits and single hyphens inside, with at least one letter';
}

/** What is wrong with an id; undefined when it is fine. */
export function idProblem(id: string): string | undefined {
  if (!ID.test(id)) return 'an id is 1 to 128 of A-Z a-z 0-9 . _ : @ -';
  // Clients take `.` and `..` out of a path, escaped or not: such an instance could never be asked for.
  return id === '.' || id === '..' ? `'${id}' cannot be an id` : undefined;
}

/** What is wrong with the id of a check; undefined when it is fine. Its state is kept in an object by this key. */
export function checkIdProblem(id: string): string | undefined {
  return isTreacherousKey(id) ? `'${id}' cannot be an id` : idProblem(id);
}

/** Would this key reach into JavaScript objects? */
export function isTreacherousKey(key: string): boolean {
  return TREACHEROUS_KEYS.has(key);
}

/**
 * A host name: at most 253 characters, no trailing dot, the last label not a number. What ends in a number, `0x7f` too,
 * is an IPv4 address to resolvers and browsers.
 */
export function isHostName(text: string): boolean {
  const labels = text.split('.');
  const last = labels.at(-1)!;
  return (
    text.length <= 253 &&
    labels.every((label) => HOST_LABEL.test(label)) &&
    /[a-z]/i.test(last) &&
    !/^0x[0-9a-f]*$/i.test(last)
  );
}

/** The service name a caller stated, lower case. Throws CodedError `invalid`. */
export function normalService(name: string): string {
  const problem = serviceProblem(name);
  if (problem !== undefined) throw new CodedError('invalid', problem, [{ path: 'service', message: problem }]);
  return name.toLowerCase();
}
