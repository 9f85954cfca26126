// fake-time.ts -- a wall clock that can be set, for one process: libfaketime in front of it, other clocks as they are

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { requireTools } from './tools.ts';

const LIBRARY = 'libfaketimeMT.so.1';

export class FakeTime {
  /** In front of the command whose clock it is. */
  readonly prefix: readonly string[];
  readonly #file: string;

  private constructor(library: string, file: string) {
    this.#file = file;
    this.prefix = [
      'env',
      `LD_PRELOAD=${library}`,
      // The first is the name since libfaketime 0.9.10, the second that of older ones.
      'FAKETIME_DONT_FAKE_MONOTONIC=1',
      'DONT_FAKE_MONOTONIC=1',
      `FAKETIME_TIMESTAMP_FILE=${file}`,
      'FAKETIME_NO_CACHE=1',
    ];
    this.jumpTo('+0');
  }

  /** Undefined where libfaketime is not to be had, and the test is skipped. `folder` takes the file that sets it. */
  static async prepare(t: Pick<TestContext, 'skip'>, folder: string): Promise<FakeTime | undefined> {
    // The program is not used, but tells that its package is there.
    if (!(await requireTools(t, { faketime: 'faketime' }))) return undefined;
    for (const machine of readdirSync('/usr/lib')) {
      const place = join('/usr/lib', machine, 'faketime');
      if (namesIn(place).includes(LIBRARY)) return new FakeTime(join(place, LIBRARY), join(folder, 'time'));
    }
    t.skip(`${LIBRARY} is not below /usr/lib`);
    return undefined;
  }

  /** From now on the clock is off by this much: `+1h`, `-1d`, `+0`. */
  jumpTo(offset: string): void {
    writeFileSync(this.#file, `${offset}\n`);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
