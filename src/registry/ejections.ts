// ejections.ts -- who is out of the answers because of what came of requests to it; in memory only, a restart readmits

import type { Instance } from './instance.ts';

/** Why each instance that is out is. */
export class Ejections {
  readonly #reasons = new Map<string, string>();

  /** Undefined: it is not out. */
  reasonOf(id: string): string | undefined {
    return this.#reasons.get(id);
  }

  /** Out for this reason, or (undefined) back. Tells whether that is news. */
  set(id: string, reason: string | undefined): boolean {
    if (this.#reasons.get(id) === reason) return false;
    if (reason === undefined) this.#reasons.delete(id);
    else this.#reasons.set(id, reason);
    return true;
  }

  /** An instance is put in the place of another of its id: at another address it is another, and begins anew. */
  replace(before: Instance | undefined, { id, address, port }: Instance): void {
    if (before?.address !== address || before.port !== port) this.#reasons.delete(id);
  }

  forget(id: string): void {
    this.#reasons.delete(id);
  }
}
