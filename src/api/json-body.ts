// json-body.ts -- request bodies as JSON, with what JSON.parse lets through: depth, and keys said twice
//
// Keys like `__proto__` are properties like others in what JSON.parse makes; whoever reads the fields refuses them.

import { CodedError } from '../base/errors.ts';

const MAX_DEPTH = 32;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The value of a body; undefined for an empty one. Throws CodedError `invalid_json`. */
export function parseJsonBody(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw new CodedError('invalid_json', 'the body is not well-formed JSON in UTF-8');
  }
  const problem = findProblem(text);
  if (problem !== undefined) throw new CodedError('invalid_json', `the body ${problem}`);
  return value;
}

/** What is wrong with JSON text that is known to be well-formed. One pass, no recursion. */
function findProblem(text: string): string | undefined {
  // For each open object the keys it has so far, for each open array undefined.
  const open: (Set<string> | undefined)[] = [];
  let isKeyNext = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '"') {
      const end = endOfString(text, i);
      if (isKeyNext) {
        const key = JSON.parse(text.slice(i, end + 1)) as string;
        const keys = open.at(-1)!;
        if (keys.has(key)) return `has the key ${JSON.stringify(key.slice(0, 64))} twice in one object`;
        keys.add(key);
        isKeyNext = false;
      }
      i = end;
    } else if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : undefined);
      if (open.length > MAX_DEPTH) return `nests deeper than ${MAX_DEPTH}`;
      isKeyNext = char === '{';
    } else if (char === '}' || char === ']') {
      open.pop();
      isKeyNext = false;
    } else if (char === ',') isKeyNext = open.at(-1) !== undefined;
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}
