// members-by-id.ts -- the instances of one service by id, in order of registration; most services have only a few
//
// A Map takes some 300 octets before it holds anything, and a large registry has one for each service. So a few stand
// in an array, where a search is as quick; more get a Map.

const FEW = 8;

/** A map by `instance.id` whose values say their keys themselves. */
export class MembersById<T extends { readonly instance: { readonly id: string } }> implements ReadonlyMap<string, T> {
  #members: readonly T[] | Map<string, T> = [];

  get size(): number {
    return Array.isArray(this.#members) ? this.#members.length : (this.#members as Map<string, T>).size;
  }

  get(id: string): T | undefined {
    const members = this.#members;
    return members instanceof Map ? members.get(id) : members.find(({ instance }) => instance.id === id);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  /** Add a member, or put it in the place of the one with its id. */
  put(member: T): void {
    const members = this.#members;
    const { id } = member.instance;
    if (members instanceof Map) {
      members.set(id, member);
      return;
    }
    const at = members.findIndex(({ instance }) => instance.id === id);
    if (at >= 0) this.#members = members.with(at, member);
    else if (members.length < FEW) this.#members = members.concat([member]);
    else this.#members = new Map([...members, member].map((each) => [each.instance.id, each]));
  }

  delete(id: string): void {
    if (this.#members instanceof Map) this.#members.delete(id);
    else this.#members = this.#members.filter(({ instance }) => instance.id !== id);
  }

  values(): MapIterator<T> {
    return this.#members.values();
  }

  *keys(): MapIterator<string> {
    for (const { instance } of this.#members.values()) yield instance.id;
  }

  *entries(): MapIterator<[string, T]> {
    for (const member of this.#members.values()) yield [member.instance.id, member];
  }

  [Symbol.iterator](): MapIterator<[string, T]> {
    return this.entries();
  }

  forEach(callback: (member: T, id: string, all: ReadonlyMap<string, T>) => void): void {
    for (const member of this.#members.values()) callback(member, member.instance.id, this);
  }
}
