// input-forms.ts -- forms of values that several readers of input share: sections, lists of texts, tags, networks

import { type IpPrefix, parseNetwork } from '../base/ip.ts';
import { InputObject } from './input.ts';
import { tagProblem } from './label.ts';

const MAX_LIST = 1000;
const MAX_TAGS = 64;

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

/** The beginning of a text that somebody else wrote, for a message. */
export function shorten(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 61)}...`;
}

/** `tags`: lower case, each once; none where they are not stated. */
export function readTags(input: InputObject): readonly string[] {
  const tags = new Set<string>();
  for (const [index, each] of (input.list('tags', MAX_TAGS) ?? []).entries()) {
    const problem = typeof each === 'string' ? tagProblem(each) : 'must be a string';
    if (problem !== undefined) input.fail(`tags[${index}]`, problem);
    else tags.add((each as string).toLowerCase());
  }
  return [...tags];
}
