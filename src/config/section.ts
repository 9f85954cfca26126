// section.ts -- values that several sections of the configuration hold: endpoints, sizes, files

import { isAbsolute, resolve } from 'node:path';
import { type Endpoint, formatEndpoint, parseEndpoint } from '../base/ip.ts';
import type { InputObject } from '../registry/input.ts';
import { readTexts, shorten } from '../registry/input-forms.ts';
import type { ConfigTree } from './config-tree.ts';

/** Everything that a section is read from. */
export interface SectionSource {
  readonly tree: ConfigTree;
  /** The whole configuration. */
  readonly root: InputObject;
  /** Folder that relative paths of the file start from. */
  readonly fileFolder: string;
  /** Folder that all other relative paths start from. */
  readonly cwd: string;
}

const MAX_PATH = 4096;

/** Is a list stated, with nothing in it? Not one whose items are all wrong: that is said of each. */
export function isEmptyList(input: InputObject, key: string): boolean {
  const value = input.raw(key);
  return Array.isArray(value) && value.length === 0;
}

/** Addresses with ports; undefined when not stated. */
export function readEndpoints(input: InputObject, key: string): readonly Endpoint[] | undefined {
  const endpoints: Endpoint[] = [];
  const texts = readTexts(input, key);
  for (const { text, key: each } of texts ?? []) {
    const endpoint = parseEndpoint(text);
    if (endpoint === undefined) {
      input.fail(each, `'${shorten(text)}' is not an address and a port, like 127.0.0.1:8600 or "[::1]:8600"`);
    } else if (endpoint.port > 0 && endpoints.some((other) => formatEndpoint(other) === formatEndpoint(endpoint))) {
      input.fail(each, `${formatEndpoint(endpoint)} stands twice`);
    } else endpoints.push(endpoint);
  }
  return texts === undefined ? undefined : endpoints;
}

const SIZE_UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Octets of a size with a unit; undefined when not stated. */
export function readSize(input: InputObject, key: string, min: number, max: number): number | undefined {
  const value = input.raw(key);
  if (value === undefined) return undefined;
  const match = typeof value === 'string' ? /^(\d{1,12})(B|KiB|MiB|GiB)$/.exec(value) : null;
  if (match === null) return input.fail(key, 'must be a size with a unit, like "256KiB" or "1MiB"');
  const octets = Number(match[1]) * SIZE_UNITS[match[2]!]!;
  if (octets >= min && octets <= max) return octets;
  return input.fail(key, `must be from ${formatSize(min)} to ${formatSize(max)}`);
}

function formatSize(octets: number): string {
  const unit = ['GiB', 'MiB', 'KiB'].find((each) => octets >= SIZE_UNITS[each]!) ?? 'B';
  return `${octets / SIZE_UNITS[unit]!}${unit}`;
}

/** Text that may be empty, which counts as not stated. */
function readOptionalText(input: InputObject, key: string, maxLength: number): string | undefined {
  return input.raw(key) === '' ? undefined : input.text(key, maxLength);
}

/** An absolute path; relative ones start where the value was written down. Undefined when empty or not stated. */
export function readPath(source: SectionSource, input: InputObject, key: string): string | undefined {
  const text = readOptionalText(input, key, MAX_PATH);
  if (text === undefined || isAbsolute(text)) return text;
  return resolve(source.tree.isFromFile(input.at(key)) ? source.fileFolder : source.cwd, text);
}
