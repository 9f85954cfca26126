// architecture.ts -- what is wrong with the layout of a set of source files: floors, cycles, dead files, banned calls
//
// Pure: it is given paths and texts, so that its own tests can plant a breach of each rule. It reads the text itself
// because TypeScript 7 has no compiler API for it; comments and the insides of strings are blanked first.

import { posix } from 'node:path';

/** The rules that differ between projects; the rest are in the code. */
export interface House {
  /** Floor of each folder or file directly in `src/`; imports go strictly downwards, or stay in the folder. */
  readonly floors: Readonly<Record<string, number>>;
  /** The highest floor that a folder may import, where that is less than the one below its own. */
  readonly ceilings: Readonly<Record<string, number>>;
  /** Files on lower floors than this touch nothing outside: no clock, chance, environment, files, sockets. */
  readonly ioFloor: number;
  /** Files below the I/O floor that are the one place for what the others may not do. */
  readonly rooms: readonly string[];
  /** Where programs and packages begin: a source file that none of these reaches is dead. */
  readonly entries: readonly string[];
  readonly maxLines: { readonly src: number; readonly test: number };
}

/** One broken rule. */
export interface Breach {
  readonly rule: Rule;
  readonly file: string;
  readonly message: string;
}

export type Rule =
  | 'banned-call'
  | 'barrel'
  | 'cycle'
  | 'dead-file'
  | 'default-export'
  | 'file-name'
  | 'file-size'
  | 'floor'
  | 'header'
  | 'unresolved-import';

/** Paths from the project's root (`src/dns/name.ts`, `test/dns/name.test.ts`) and their texts. */
export type Files = ReadonlyMap<string, string>;

type Arrows = ReadonlyMap<string, readonly string[]>;

const BANNED_NAMES = /^(utils?|types|context|helpers?|index|common|misc)(\.test)?\.ts$/;
const FILE_NAME = /^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/;
const BANNED_MODULES =
  /^(node:)?(fs|net|dgram|tls|http|https|http2|dns|child_process|cluster|worker_threads|timers)(\/.*)?$/;
const BANNED_CALLS: readonly (readonly [string, RegExp])[] = [
  ['Date.now', /\bDate\s*\.\s*now\b/],
  ['new Date()', /\bnew\s+Date\b\s*(?!\s*\(\s*[^\s)])/],
  ['performance.now', /\bperformance\s*\.\s*now\b/],
  ['process.hrtime', /\bprocess\s*\.\s*hrtime\b/],
  ['Math.random', /\bMath\s*\.\s*random\b/],
  ['a timer', /\b(setTimeout|setInterval|setImmediate)\b/],
  ['process.env', /\bprocess\s*\.\s*env\b/],
  ['fetch', /(?<!\.\s*)\bfetch\s*\(/],
];

/** Every breach of every rule, in no particular order. */
export function findBreaches(files: Files, house: House): Breach[] {
  const breaches: Breach[] = [];
  const report = (rule: Rule, file: string, message: string) => void breaches.push({ rule, file, message });
  const sources = new Map([...files].filter(([path]) => path.startsWith('src/')));
  const arrows = new Map<string, string[]>();

  for (const [path, text] of files) checkFile(path, text, house, report);
  for (const [path, text] of sources) {
    const imports = findImports(text);
    arrows.set(path, resolveImports(path, imports, sources, report));
    checkCode(path, text, imports, house, report);
  }
  checkFloors(arrows, house, report);
  for (const cycle of findCycles(arrows)) report('cycle', cycle[0] ?? '', `imports itself: ${cycle.join(' -> ')}`);
  const alive = reach(arrows, house.entries);
  for (const path of sources.keys()) {
    if (!alive.has(path)) report('dead-file', path, `no entry (${house.entries.join(', ')}) imports it`);
  }
  return breaches;
}

type Report = (rule: Rule, file: string, message: string) => void;

function checkFile(path: string, text: string, house: House, report: Report): void {
  const name = posix.basename(path);
  if (BANNED_NAMES.test(name)) report('file-name', path, 'says nothing: name the file after the noun it holds');
  else if (!FILE_NAME.test(name)) report('file-name', path, 'is not kebab-case');
  const lines = text.split('\n');
  const first = lines[0]?.startsWith('#!') ? lines[1] : lines[0];
  if (!first?.startsWith(`// ${name} -- `)) report('header', path, `does not begin with "// ${name} -- what it is"`);
  const length = lines.length - (text.endsWith('\n') ? 1 : 0);
  const limit = path.startsWith('src/') ? house.maxLines.src : house.maxLines.test;
  if (length > limit) report('file-size', path, `has ${length} lines; ${limit} are allowed`);
}

function checkCode(path: string, text: string, imports: readonly string[], house: House, report: Report): void {
  const code = blank(text);
  if (/\bexport\s+default\b|\bexport\s*{[^}]*\bas\s+default\b/.test(code)) {
    report('default-export', path, 'has a default export');
  }
  if (isBarrel(code)) report('barrel', path, 'only passes on what other files export');
  const floor = house.floors[roomOf(path)];
  if (floor === undefined || floor >= house.ioFloor || house.rooms.includes(path)) return;
  for (const specifier of imports) {
    if (BANNED_MODULES.test(specifier)) report('banned-call', path, `imports ${specifier} below the I/O floor`);
  }
  for (const [name, pattern] of BANNED_CALLS) {
    if (pattern.test(code)) report('banned-call', path, `uses ${name} below the I/O floor`);
  }
}

function isBarrel(code: string): boolean {
  const withoutImports = code.replace(/\bimport\b[^;'"]*(['"])\s*\1\s*;?/g, '');
  const rest = withoutImports
    .replace(/\bexport\s+(type\s+)?(\*|{[^}]*})[^;'"]*?\bfrom\s*(['"])\s*\3\s*;?/g, '')
    .replace(/\bexport\s+(type\s+)?{[^}]*}\s*;?/g, '');
  return rest !== withoutImports && rest.trim() === '';
}

function checkFloors(arrows: Arrows, house: House, report: Report): void {
  for (const [path, targets] of arrows) {
    const room = roomOf(path);
    const floor = house.floors[room];
    if (floor === undefined) {
      report('floor', path, `${room} has no floor`);
      continue;
    }
    for (const target of targets) {
      const other = roomOf(target);
      const otherFloor = house.floors[other];
      if (other === room || otherFloor === undefined) continue;
      if (otherFloor >= floor) report('floor', path, `on floor ${floor} imports ${target} on floor ${otherFloor}`);
      const ceiling = house.ceilings[room] ?? floor;
      if (otherFloor < floor && otherFloor > ceiling) {
        report('floor', path, `may import up to floor ${ceiling}; ${target} is on floor ${otherFloor}`);
      }
    }
  }
}

/** The folder below `src/` that a file is in, or the file itself where it lies in `src/`. */
function roomOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function resolveImports(path: string, imports: readonly string[], sources: Files, report: Report): string[] {
  const targets: string[] = [];
  for (const specifier of imports) {
    if (!specifier.startsWith('.')) continue;
    const target = posix.join(posix.dirname(path), specifier);
    if (sources.has(target)) targets.push(target);
    else if (!target.endsWith('.json')) report('unresolved-import', path, `imports ${specifier}, which is not there`);
  }
  return targets;
}

/** What a file imports, as written: `import`, `export ... from`, `import()`, types too. */
export function findImports(text: string): string[] {
  const code = blank(text);
  const found: string[] = [];
  // In blanked code a string is two quotes with nothing but blanks between, at the places they have in the text.
  const pattern = /\b(?:import\b(?!\s*\.)|export\b)(?:[^;'"]*?\bfrom\s*|\s*\(\s*|\s*)(['"])\s*\1/g;
  for (const match of code.matchAll(pattern)) {
    const end = match.index + match[0].length - 1;
    const begin = text.lastIndexOf(match[1] ?? '', end - 1);
    found.push(text.slice(begin + 1, end));
  }
  return found;
}

/** One cycle for each arrow that closes one in a depth-first walk; none exactly when there is no cycle. */
function findCycles(arrows: Arrows): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    const seenAt = trail.indexOf(path);
    if (seenAt >= 0) cycles.push([...trail.slice(seenAt), path]);
    if (seenAt >= 0 || done.has(path)) return;
    trail.push(path);
    for (const target of arrows.get(path) ?? []) visit(target);
    trail.pop();
    done.add(path);
  };
  for (const path of arrows.keys()) visit(path);
  return cycles;
}

function reach(arrows: Arrows, entries: readonly string[]): Set<string> {
  const alive = new Set<string>();
  const queue = entries.filter((entry) => arrows.has(entry));
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (alive.has(path)) continue;
    alive.add(path);
    queue.push(...(arrows.get(path) ?? []));
  }
  return alive;
}

/** What is more than plain code: a comment, a string, the begin of a template, a brace, a regular expression. */
const TOKEN = [
  String.raw`//[^\n]*`,
  String.raw`/\*.*?\*/`,
  String.raw`'(?:\\.|[^'\\\n])*'`,
  String.raw`"(?:\\.|[^"\\\n])*"`,
  '`',
  '[{}]',
  // A slash begins a regular expression only where no value can have ended.
  String.raw`(?<=(?:^|[=(,:;!&|?{}[+\n]|=>|\breturn|\bcase)[ \t]*)/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+/[a-z]*`,
].join('|');
/** From inside a template to its end, or to the next `${`. */
const TEMPLATE_PIECE = /(?:\\.|\$(?!{)|[^`\\$])*(?:`|\${)/sy;

/**
 * The code with comments, regular expressions and the insides of strings turned to blanks, every other character at
 * its place. A template's `${...}` parts are code and stay.
 */
export function blank(text: string): string {
  const token = new RegExp(TOKEN, 'gs');
  /** For each open brace, whether it is a template's `${`. */
  const braces: boolean[] = [];
  let result = '';
  let from = 0;
  const keep = (to: number) => {
    result += text.slice(from, to);
    from = to;
  };
  const wipe = (to: number) => {
    result += text.slice(from, to).replace(/[^\n]/g, ' ');
    from = to;
  };
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [piece] = match;
    keep(match.index);
    if (piece === '{') braces.push(false);
    const closesHole = piece === '}' && braces.pop() === true;
    if (piece === '`' || closesHole) {
      keep(from + 1);
      TEMPLATE_PIECE.lastIndex = from;
      const rest = TEMPLATE_PIECE.exec(text)?.[0] ?? text.slice(from);
      const opensHole = rest.endsWith('${');
      if (opensHole) braces.push(true);
      wipe(from + rest.length - 1);
      keep(from + 1);
      token.lastIndex = from;
    } else if (piece.startsWith("'") || piece.startsWith('"')) {
      keep(from + 1);
      wipe(match.index + piece.length - 1);
      keep(from + 1);
    } else if (piece !== '{' && piece !== '}') {
      wipe(match.index + piece.length);
    }
  }
  keep(text.length);
  return result;
}
