// etcd-mirror.ts -- at which revision every key is known here, so that nothing is told twice or out of its order

/** What became of a key; `value` undefined: deleted. */
export interface KeyEvent {
  readonly key: string;
  readonly revision: number;
  readonly value: unknown;
}

/** Pure: knows revisions, not values. */
export class EtcdMirror {
  readonly #live = new Map<string, number>();
  /** Deletions since the last full list. */
  readonly #gone = new Map<string, number>();
  /** All up to this revision was seen in a full list. */
  #listed = 0;

  /** The revision that wrote the key; 0: not there. */
  revisionOf(key: string): number {
    return this.#live.get(key) ?? 0;
  }

  /** Take an event over; false: it is known, or was overtaken by a later one. */
  take({ key, revision, value }: KeyEvent): boolean {
    const known = this.#live.get(key) ?? this.#gone.get(key) ?? 0;
    if (revision <= known || revision <= this.#listed) return false;
    if (value === undefined) {
      this.#live.delete(key);
      this.#gone.set(key, revision);
    } else {
      this.#gone.delete(key);
      this.#live.set(key, revision);
    }
    return true;
  }

  /**
   * What a full list at `revision` shows that was not seen yet, in order of revision. When exactly a key went that is
   * missing there nobody knows any more: it counts as gone at `revision`. All of it is to be taken.
   */
  difference(list: readonly KeyEvent[], revision: number): KeyEvent[] {
    const listed = new Set(list.map(({ key }) => key));
    const gone = [...this.#live].filter(([key, known]) => known <= revision && !listed.has(key));
    const changed = list.filter(({ key, revision: at }) => {
      return at > this.#listed && at > (this.#live.get(key) ?? this.#gone.get(key) ?? 0);
    });
    const events = [...changed, ...gone.map(([key]) => ({ key, revision, value: undefined }))];
    return events.sort((a, b) => a.revision - b.revision);
  }

  /** All up to `revision` was seen: what comes of it later is old. */
  noteListed(revision: number): void {
    this.#listed = Math.max(this.#listed, revision);
    for (const [key, at] of this.#gone) if (at <= revision) this.#gone.delete(key);
  }

  /** etcd has gone back to an earlier state: the next list decides alone. */
  rewind(): void {
    this.#gone.clear();
    this.#listed = 0;
    for (const key of this.#live.keys()) this.#live.set(key, 0);
  }
}
