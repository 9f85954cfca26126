// instances-by-key.ts -- instances by something they have and mostly have alone: an address, a label
//
// Most keys belong to one instance, which then stands there itself: a Map for each would take more than all the rest.

import type { AnsweringInstance } from '../registry/member.ts';

type Holders = AnsweringInstance | Map<string, AnsweringInstance>;

export class InstancesByKey {
  readonly #holders = new Map<string, Holders>();

  get size(): number {
    return this.#holders.size;
  }

  keys(): IterableIterator<string> {
    return this.#holders.keys();
  }

  /** The instances that have a key, in order of arrival; none when nobody has it. */
  *of(key: string): Generator<AnsweringInstance, void> {
    const holders = this.#holders.get(key);
    if (holders instanceof Map) yield* holders.values();
    else if (holders !== undefined) yield holders;
  }

  /** An instance has the key from now on. True when nobody had it. */
  add(key: string, instance: AnsweringInstance): boolean {
    const holders = this.#holders.get(key);
    if (holders instanceof Map) holders.set(instance.id, instance);
    else if (holders === undefined) this.#holders.set(key, instance);
    else this.#holders.set(key, new Map([holders, instance].map((each) => [each.id, each])));
    return holders === undefined;
  }

  /** The instance of this id has the key no longer. True when nobody has it now. */
  remove(key: string, id: string): boolean {
    const holders = this.#holders.get(key);
    if (holders instanceof Map) holders.delete(id);
    if (holders instanceof Map ? holders.size > 0 : holders?.id !== id) return false;
    return this.#holders.delete(key);
  }
}
