// run-scope.ts -- what must end when the run does: its servers and its folder

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Stands in for a test's context: what is given to `after` is done in `end`, the last first. */
export class RunScope {
  /** For all files of the run; removed in `end`, and when this process exits before. */
  readonly folder = mkdtempSync(join(tmpdir(), 'rollcall-bench-'));
  readonly #ends: ((context: never, done: never) => unknown)[] = [];
  readonly #removeFolder = () => rmSync(this.folder, { recursive: true, force: true });

  constructor() {
    process.once('exit', this.#removeFolder);
  }

  after(end?: (context: never, done: never) => unknown): void {
    if (end !== undefined) this.#ends.push(end);
  }

  async end(): Promise<void> {
    for (let end = this.#ends.pop(); end !== undefined; end = this.#ends.pop()) {
      await end(undefined as never, undefined as never);
    }
    this.#removeFolder();
    process.off('exit', this.#removeFolder);
  }
}
