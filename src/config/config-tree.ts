// config-tree.ts -- the configuration file with the environment laid over it, and where each value came from

import type { Override } from './environment.ts';
import type { Place, Places, YamlSource } from './yaml-source.ts';

type Mapping = Record<string, unknown>;

/** The merged values, and their places in file or environment. */
export class ConfigTree {
  /** The whole; what a file says that is no mapping is kept, so that reading it fails. */
  readonly value: unknown;
  readonly #file: YamlSource;
  readonly #overrides: readonly Override[];

  /** `overrides` in the order in which they apply: sections before the keys in them. Changes the file's value. */
  constructor(file: YamlSource, overrides: readonly Override[]) {
    this.#file = file;
    this.#overrides = overrides;
    this.value = file.value ?? Object.create(null);
    for (const override of overrides) this.#apply(override);
  }

  #apply({ path, value }: Override): void {
    const keys = path.split('.');
    const last = keys.pop()!;
    let at = this.value;
    for (const key of keys) {
      if (!isMapping(at)) return;
      at[key] ??= Object.create(null);
      at = at[key];
    }
    // Where the file has something else than a section, that is the error to report.
    if (isMapping(at)) at[last] = value;
  }

  /** Does the value at a path, or what is around it, stand in the file? */
  isFromFile(path: string): boolean {
    return this.#overrideOf(path) === undefined && this.#file.places.has(path);
  }

  /** Where the value at a path stands; where it does not, the nearest thing around it that does. */
  valuePlace(path: string): Place {
    const { places, isExact } = this.#find(path);
    return isExact ? places.value : places.key;
  }

  /** Where the key of a path stands. */
  keyPlace(path: string): Place {
    return this.#find(path).places.key;
  }

  #find(path: string): { places: Places; isExact: boolean } {
    const override = this.#overrideOf(path);
    const sources = override === undefined ? this.#file.places : override.places;
    let at = override === undefined ? path : path.slice(override.path.length).replace(/^\./, '');
    const exact = sources.get(at);
    if (exact !== undefined) return { places: exact, isExact: true };
    while (at !== '') {
      at = at.slice(0, Math.max(at.lastIndexOf('.'), at.lastIndexOf('['), 0));
      const around = sources.get(at);
      if (around !== undefined) return { places: around, isExact: false };
    }
    const nowhere = { file: 'configuration', line: 0, column: 0 };
    return { places: { key: nowhere, value: nowhere }, isExact: false };
  }

  #overrideOf(path: string): Override | undefined {
    return this.#overrides.findLast(
      ({ path: own }) => path === own || (path.startsWith(own) && /[.[]/.test(path[own.length]!)),
    );
  }
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
