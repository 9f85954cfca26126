// yaml-source.ts -- one YAML text as plain values, with the place of each, and bounds on what it may unfold to

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { errorMessage, type Problem } from '../base/errors.ts';

/** Where a value and, in a mapping, its key begin; lines and columns count from 1, 0 means the source as a whole. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The places of a value and of the key in front of it. */
export interface Places {
  readonly key: Place;
  readonly value: Place;
}

/** A text read as YAML. */
export interface YamlSource {
  /** Undefined when the text is empty or has errors. Mappings are objects without a prototype. */
  readonly value: unknown;
  /** By dotted path from the top: `dns.listen[0]`; the top itself is the empty path. */
  readonly places: ReadonlyMap<string, Places>;
  readonly problems: readonly Problem[];
}

/** Aliases may not multiply a small text into one that never ends ("billion laughs"). */
const MAX_VALUES = 200_000;
const MAX_DEPTH = 32;
/** After a first slip the YAML reader finds ever more that follows from it. */
const MAX_SYNTAX_PROBLEMS = 20;

/**
 * Read one YAML 1.2 document. Never throws: everything wrong with the text is in `problems`, under the name `file`.
 * `locate: false` is for texts that nobody sees with line numbers: all places are then the source as a whole.
 */
export function readYaml(text: string, file: string, options: { locate: boolean } = { locate: true }): YamlSource {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    if (!options.locate) return { file, line: 0, column: 0 };
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const problems: Problem[] = [];
  const report = (place: Place, message: string, severity: Problem['severity'] = 'error'): void => {
    problems.push({ ...place, message, severity });
  };
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    for (const { code, message, pos } of document.errors.slice(0, MAX_SYNTAX_PROBLEMS)) {
      report(placeAt(pos[0]), SYNTAX[code] ?? message);
      if (code === 'RESOURCE_EXHAUSTION') break;
    }
    for (const { message, pos } of document.warnings) report(placeAt(pos[0]), message);
    const unfolder = new Unfolder(placeAt, report);
    const value = problems.length > 0 ? undefined : unfolder.value(document.contents, '', placeAt(0));
    return { value: problems.length > 0 ? undefined : value, places: unfolder.places, problems };
  } catch (thrown) {
    // The YAML reader is recursive in places: a text of nothing but brackets can exhaust the stack.
    report(placeAt(0), `cannot be read as YAML: ${errorMessage(thrown)}`);
    return { value: undefined, places: new Map(), problems };
  }
}

/** Where the YAML reader's own words help little. */
const SYNTAX: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'the key stands twice',
  MULTIPLE_DOCS: 'holds a second document; only one is read',
  RESOURCE_EXHAUSTION: 'is nested too deeply',
  TAB_AS_INDENT: 'tabs are not allowed as indentation',
};

/** Turns nodes into values and notes their places on the way, in document order. */
class Unfolder {
  readonly places = new Map<string, Places>();
  readonly #placeAt: (offset: number) => Place;
  readonly #report: (place: Place, message: string) => void;
  readonly #anchors = new Map<string, Node>();
  #count = 0;
  /** Once a bound was passed nothing more is unfolded. */
  #stopped = false;

  constructor(placeAt: (offset: number) => Place, report: (place: Place, message: string) => void) {
    this.#placeAt = placeAt;
    this.#report = report;
  }

  value(node: unknown, path: string, key: Place, depth = 0): unknown {
    const place = this.#placeOf(node) ?? key;
    this.places.set(path, { key, value: place });
    if (++this.#count > MAX_VALUES) this.#stop(place, 'unfolds to too many values');
    if (depth > MAX_DEPTH) this.#stop(place, 'is nested too deeply');
    if (this.#stopped) return undefined;
    if (isAlias(node)) return this.#alias(node.source, path, key, place, depth);
    this.#noteAnchor(node);
    if (isMap(node)) return this.#map(node.items, path, depth);
    if (isSeq(node)) return this.#list(node.items, path, place, depth);
    return isScalar(node) ? node.value : undefined;
  }

  #stop(place: Place, message: string): void {
    if (!this.#stopped) this.#report(place, message);
    this.#stopped = true;
  }

  #noteAnchor(node: unknown): void {
    const anchor = (node as { anchor?: string } | null)?.anchor;
    if (anchor !== undefined) this.#anchors.set(anchor, node as Node);
  }

  #alias(name: string, path: string, key: Place, place: Place, depth: number): unknown {
    const target = this.#anchors.get(name);
    if (target === undefined) {
      this.#report(place, `there is no anchor '${name}' before this`);
      return undefined;
    }
    const value = this.value(target, path, key, depth + 1);
    // Seen from the outside, a problem is where the alias was used.
    this.places.set(path, { key, value: place });
    return value;
  }

  #list(items: readonly unknown[], path: string, place: Place, depth: number): unknown[] {
    const values: unknown[] = [];
    for (const [index, item] of items.entries()) {
      if (this.#stopped) break;
      values.push(this.value(item, `${path}[${index}]`, this.#placeOf(item) ?? place, depth + 1));
    }
    return values;
  }

  #map(items: readonly { key: unknown; value: unknown }[], path: string, depth: number): Record<string, unknown> {
    // Without a prototype, so that `__proto__` is a key like any other.
    const object: Record<string, unknown> = Object.create(null);
    for (const { key, value } of items) {
      if (this.#stopped) break;
      const place = this.#placeOf(key) ?? this.#placeAt(0);
      if (!isScalar(key)) {
        this.#report(place, 'a key must be a plain word');
        continue;
      }
      this.#noteAnchor(key);
      const name = String(key.value);
      object[name] = this.value(value, path === '' ? name : `${path}.${name}`, place, depth + 1);
    }
    return object;
  }

  #placeOf(node: unknown): Place | undefined {
    const range = (node as Node | null | undefined)?.range;
    return range === undefined || range === null ? undefined : this.#placeAt(range[0]);
  }
}
