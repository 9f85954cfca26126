// json-path.ts -- where a value stands in a JSON document, and whether two values are the same
//
// The dialect is small: keys joined by dots, `[0]` for an element of an array, `["odd.key"]` for a key that holds what
// a plain one cannot. `$`, the document itself, may stand in front.

/** Keys and indices from the outside in. */
export type JsonPath = readonly (string | number)[];

const MAX_LENGTH = 256;
const MAX_STEPS = 32;
const STEP = /(?:^|\.)([^.[\]"\s]+)|\[(0|[1-9]\d{0,8})\]|\["([^"]+)"\]/y;

/** Read `a.b[0].c`; undefined when it is no path. */
export function parseJsonPath(text: string): JsonPath | undefined {
  if (text === '' || text.length > MAX_LENGTH || text.startsWith('.')) return undefined;
  const rest = /^\$(?=$|[.[])/.test(text) ? text.slice(1) : text;
  const steps: (string | number)[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < rest.length) {
    const match = STEP.exec(rest);
    if (match === null || steps.length === MAX_STEPS) return undefined;
    steps.push(match[2] === undefined ? (match[1] ?? match[3]!) : Number(match[2]));
  }
  return steps;
}

/** The value at `path`; undefined where there is none. What objects inherit is not theirs. */
export function valueAt(document: unknown, path: JsonPath): unknown {
  let value = document;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value) !== (typeof step === 'number') || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

/** Are two JSON values the same? Objects regardless of the order of their keys, -0 like 0. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((each, i) => equalJson(each, b[i]));
  }
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) && equalJson((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
    )
  );
}
