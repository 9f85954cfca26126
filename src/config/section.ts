// section.ts -- values that several sections of the configuration hold: endpoints, networks, sizes, files

import { isAbsolute, resolve } from 'node:path';
import { type Endpoint, formatEndpoint, type IpPrefix, parseEndpoint, parseNetwork } from '../base/ip.ts';
import { InputObject } from '../registry/input.ts';
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

const MAX_LIST = 1000;
const MAX_PATH = 4096;

/** A section, empty where it is not stated; a section of the wrong type is noted and counts as empty. */
export function section(parent: InputObject, key: string): InputObject {
  return parent.object(key) ?? InputObject.of({}, parent.at(key), parent.findings)!;
}

/** A list of strings; one string stands for a list of one. */
export function readTexts(input: InputObject, key: string): readonly { text: string; key: string }[] | undefined {
  const value = input.raw(key);
  if (typeof value === 'string') return [{ text: value, key }];
  return input.list(key, MAX_LIST)?.flatMap((text, index) => {
    const each = `${key}[${index}]`;
    if (typeof text === 'string') return { text, key: each };
    input.fail(each, 'must be a string (put it in quotes if it looks like anything else)');
    return [];
  });
}

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

/** Prefixes and names of network classes; undefined when not stated. */
export function readNetworks(input: InputObject, key: string): readonly IpPrefix[] | undefined {
  return readTexts(input, key)?.flatMap(({ text, key: each }) => {
    const networks = parseNetwork(text);
    if (networks !== undefined) return networks;
    const classes = 'loopback, private, link-local, multicast, unspecified';
    input.fail(each, `'${shorten(text)}' is not a network like 10.0.0.0/8 without host bits, nor one of ${classes}`);
    return [];
  });
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

/** The beginning of a text that somebody else wrote, for a message. */
export function shorten(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 61)}...`;
}
