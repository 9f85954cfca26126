// name.ts -- domain names, kept as uncompressed wire octets (RFC 1035 section 3.1)
//
// A name is its labels, each behind its length, ended by the root's zero octet. So the parent of a name is a subarray
// of it, names of any octets are representable (RFC 2181 section 11), and writing one into a message is a copy.
// Comparison ignores the case of ASCII letters only (RFC 4343); the case itself is kept.

/** An absolute domain name in wire form: 1 to 255 octets, every label 1 to 63. Never changed in place. */
export type Name = Uint8Array & { readonly __kind: 'name' };

/** The most octets a name may have, and the most in one label (RFC 1035 section 2.3.4). */
export const MAX_NAME_LENGTH = 255;
const MAX_LABEL_LENGTH = 63;

/** The root. */
export const ROOT: Name = Uint8Array.of(0) as Name;

/** A name that cannot be: an empty or overlong label, a bad escape, too many octets. */
export class NameError extends Error {
  override readonly name = 'NameError';
}

/**
 * Read a name in master-file text: `\.` and `\DDD` escapes, `@` for the origin, relative to `origin` unless it ends in
 * a dot. Throws NameError.
 */
export function parseName(text: string, origin: Name = ROOT): Name {
  if (text === '@') return origin;
  if (text === '.') return ROOT;
  if (text === '') throw new NameError('empty name');
  // Every octet takes four characters at most.
  if (text.length > 4 * MAX_NAME_LENGTH) throw new NameError('name of more than 255 octets');
  const octets = unescapeText(text);
  const wire: number[] = [];
  let start = 0;
  for (let i = 0; i <= octets.length; i++) {
    if (i < octets.length && octets[i] !== LABEL_BREAK) continue;
    const length = i - start;
    if (length === 0 && i === octets.length) break;
    if (length === 0) throw new NameError(`empty label in '${text}'`);
    if (length > MAX_LABEL_LENGTH) throw new NameError(`label of ${length} octets in '${text}' (at most 63)`);
    wire.push(length, ...octets.slice(start, i));
    start = i + 1;
  }
  const isAbsolute = octets.at(-1) === LABEL_BREAK;
  return join(wire, isAbsolute ? ROOT : origin, text);
}

/** Stands for an unescaped dot among the octets of a name's text. */
const LABEL_BREAK = -1;

function unescapeText(text: string): number[] {
  const octets: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 126 || code < 33) throw new NameError(`unprintable character in name '${printable(text)}'`);
    if (code === 0x2e) octets.push(LABEL_BREAK);
    else if (code !== 0x5c) octets.push(code);
    else {
      const { octet, length } = readEscape(text, i);
      octets.push(octet);
      i += length - 1;
    }
  }
  return octets;
}

/** The octet behind the backslash at `text[at]` (`\DDD` or `\X`) and the length of the escape. Throws NameError. */
export function readEscape(text: string, at: number): { octet: number; length: number } {
  const next = text.charCodeAt(at + 1);
  if (Number.isNaN(next)) throw new NameError('backslash at the end');
  if (next < 0x30 || next > 0x39) {
    if (next > 126 || next < 32) throw new NameError('bad escape');
    return { octet: next, length: 2 };
  }
  const digits = text.slice(at + 1, at + 4);
  if (!/^\d{3}$/.test(digits) || Number(digits) > 255) throw new NameError(`bad escape '\\${printable(digits)}'`);
  return { octet: Number(digits), length: 4 };
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

function join(labels: readonly number[], suffix: Name, text: string): Name {
  const length = labels.length + suffix.length;
  checkLength(length, text);
  const name = new Uint8Array(length);
  name.set(labels);
  name.set(suffix, labels.length);
  return name as Name;
}

function checkLength(length: number, text: string): void {
  if (length > MAX_NAME_LENGTH) throw new NameError(`name of ${length} octets in '${text}' (at most 255)`);
}

/** `labels` (latin-1 text, an octet each character, taken literally) in front of `suffix`. Throws NameError. */
export function prependLabels(labels: readonly string[], suffix: Name): Name {
  let length = suffix.length;
  for (const label of labels) {
    if (!/^[\0-\xff]{1,63}$/s.test(label)) throw new NameError(`bad label '${printable(label.slice(0, 64))}'`);
    length += label.length + 1;
  }
  if (length > MAX_NAME_LENGTH) checkLength(length, labels.join('.'));
  const name = new Uint8Array(length);
  let at = 0;
  for (const label of labels) {
    name[at++] = label.length;
    for (let i = 0; i < label.length; i++) name[at++] = label.charCodeAt(i);
  }
  name.set(suffix, at);
  return name as Name;
}

/** The name as text, absolute, with everything outside the usual characters escaped. The root is `.`. */
export function formatName(name: Name): string {
  if (name.length === 1) return '.';
  let text = '';
  for (let at = 0; name[at] !== 0; at += name[at]! + 1) {
    text += `${formatLabel(name.subarray(at + 1, at + 1 + name[at]!))}.`;
  }
  return text;
}

const MUST_ESCAPE = new Set(Array.from('."\\;()@$', (character) => character.charCodeAt(0)));

/** One label as text, escaped. */
export function formatLabel(label: Uint8Array): string {
  let text = '';
  for (const octet of label) {
    if (octet < 33 || octet > 126) text += `\\${String(octet).padStart(3, '0')}`;
    else text += (MUST_ESCAPE.has(octet) ? '\\' : '') + String.fromCharCode(octet);
  }
  return text;
}

/** How many labels, the root not counted. */
export function labelCount(name: Name): number {
  let count = 0;
  for (let at = 0; name[at] !== 0; at += name[at]! + 1) count++;
  return count;
}

/** The labels from the leftmost on, as lower-case latin-1 text: good for matching, not for showing. */
export function foldedLabels(name: Name): string[] {
  // The whole name at once: going to native code for every label would cost more than all the rest.
  const text = foldToText(name);
  const labels: string[] = [];
  for (let at = 0; name[at] !== 0; at += name[at]! + 1) labels.push(text.slice(at + 1, at + 1 + name[at]!));
  return labels;
}

/** The name without its leftmost label; the root is its own parent. */
export function parentName(name: Name): Name {
  return name.length === 1 ? name : (name.subarray(name[0]! + 1) as Name);
}

/** The name without its `count` leftmost labels. */
export function stripLabels(name: Name, count: number): Name {
  let rest = name;
  for (let i = 0; i < count; i++) rest = parentName(rest);
  return rest;
}

/** Lower-case latin-1 text of the wire form: equal exactly for equal names, so it serves as a map key. */
export function nameKey(name: Name): string {
  return foldToText(name);
}

// Length octets are at most 63, below 'A', so folding a whole name never touches them.
function foldToText(octets: Uint8Array): string {
  const text = latin1Slice.call(octets, 0, octets.length);
  for (const octet of octets) {
    if (octet >= 0x41 && octet <= 0x5a) return text.replace(UPPER, (letters) => letters.toLowerCase());
  }
  return text;
}

/** What `Buffer.toString('latin1')` calls, without making a Buffer of the octets first. */
const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
};
const UPPER = /[A-Z]+/g;

/** One octet with ASCII upper case folded to lower. */
export function foldOctet(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet;
}

/** Same name, ASCII case ignored. */
export function equalNames(a: Name, b: Name): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && foldOctet(a[i]!) !== foldOctet(b[i]!)) return false;
  return true;
}

/** Is `name` equal to or below `ancestor`? */
export function isWithin(name: Name, ancestor: Name): boolean {
  const excess = name.length - ancestor.length;
  if (excess < 0) return false;
  let at = 0;
  while (at < excess) at += name[at]! + 1;
  return at === excess && equalNames(name.subarray(at) as Name, ancestor);
}

/** `*` in front of the name (RFC 4592). Throws NameError when that is too long. */
export function wildcardOf(name: Name): Name {
  return prependLabels(['*'], name);
}

/** Is the leftmost label a single asterisk? */
export function isWildcard(name: Name): boolean {
  return name[0] === 1 && name[1] === 0x2a;
}

/** Canonical order (RFC 4034 section 6.1): by label from the root, as lower-case octets. */
export function compareNames(a: Name, b: Name): number {
  const left = foldedLabels(a).reverse();
  const right = foldedLabels(b).reverse();
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] !== right[i]) return left[i]! < right[i]! ? -1 : 1;
  }
  return left.length - right.length;
}
