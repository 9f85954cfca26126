// header-refusals.ts -- what is said to requests whose head is too large

import { DOH_PATH } from './doh-routes.ts';

/** Code and message of the error. */
export type Refusal = readonly [code: string, message: string];

export const HEADERS_TOO_LARGE: Refusal = ['headers_too_large', 'the headers are too large'];
/** For the path of a DNS question: a message that is too long is 413, whatever the method. */
export const TOO_LONG_QUESTION: Refusal = ['too_large', 'the question is too long for a GET; a POST may be longer'];

/** Is this the path of a DNS question by GET? */
export function isDohPath(path: string): boolean {
  return path.startsWith(`${DOH_PATH}?`);
}
