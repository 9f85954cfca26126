// assignment.ts -- which nodes run the checks of an instance: rendezvous hashing, so that all nodes agree without a word
//
// Each pair of node and instance has a number that looks random and never changes; the nodes with the greatest numbers
// run the instance's checks (Thaler and Ravishankar 1998). A node that comes or goes moves only its own share.

/** How many nodes run the checks of an instance. */
export type Replicas = number | 'all';

/** The nodes that are there, ready to be asked for many instances. */
export class Assignment {
  readonly #nodes: readonly string[];
  readonly #hashes: Uint32Array;
  readonly #replicas: number;
  readonly #indexOf: ReadonlyMap<string, number>;
  #lastId: string | undefined;
  #lastHash = 0;
  #lastNodes: readonly string[] | undefined;

  /** `nodes`: ids, in any order. */
  constructor(nodes: readonly string[], replicas: Replicas) {
    this.#nodes = nodes.toSorted();
    this.#hashes = Uint32Array.from(this.#nodes, hashText);
    this.#indexOf = new Map(this.#nodes.map((node, i) => [node, i]));
    this.#replicas = replicas === 'all' ? nodes.length : Math.min(replicas, nodes.length);
  }

  /** How many nodes run the checks of each instance. */
  get replicas(): number {
    return this.#replicas;
  }

  /** The nodes that run an instance's checks, first choice first. Not to be changed. */
  nodesOf(instanceId: string): readonly string[] {
    if (this.#replicas === this.#nodes.length) return this.#nodes;
    this.#turnTo(instanceId);
    this.#lastNodes ??= this.#best(this.#lastHash);
    return this.#lastNodes;
  }

  /** Is this node one of them? As `nodesOf`, for less. */
  includes(node: string, instanceId: string): boolean {
    const own = this.#indexOf.get(node);
    if (own === undefined || this.#replicas === this.#nodes.length) return own !== undefined;
    this.#turnTo(instanceId);
    const hash = this.#lastHash;
    const score = mix(hash, this.#hashes[own]!);
    let ahead = 0;
    for (let i = 0; i < this.#hashes.length; i++) {
      const other = mix(hash, this.#hashes[i]!);
      if (other > score || (other === score && i < own)) ahead++;
      if (ahead >= this.#replicas) return false;
    }
    return true;
  }

  /** Whoever asks about an instance mostly asks several times in a row. */
  #turnTo(instanceId: string): void {
    if (instanceId === this.#lastId) return;
    this.#lastId = instanceId;
    this.#lastHash = hashText(instanceId);
    this.#lastNodes = undefined;
  }

  #best(hash: number): readonly string[] {
    const best: number[] = [];
    const scores: number[] = [];
    for (let i = 0; i < this.#hashes.length; i++) {
      const score = mix(hash, this.#hashes[i]!);
      let at = best.length;
      // The nodes are in order: of equals the first stays ahead.
      while (at > 0 && score > scores[at - 1]!) at--;
      if (at >= this.#replicas) continue;
      best.splice(at, 0, i);
      scores.splice(at, 0, score);
      if (best.length > this.#replicas) {
        best.pop();
        scores.pop();
      }
    }
    return best.map((i) => this.#nodes[i]!);
  }
}

/** FNV-1a, 32 bits. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The finish of MurmurHash3 over both: every bit of either changes half of the result. */
function mix(left: number, right: number): number {
  let hash = Math.imul(left, 0x9e3779b1) ^ right;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
