// progress.ts -- a bar that fills while something long goes on; on a terminal only

import type { Terminal } from './terminal.ts';

const WIDTH = 30;

/** Shows on standard error how much is done; `end` takes it away. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #what: string;
  #shown = '';

  constructor(terminal: Terminal, what: string) {
    this.#terminal = terminal;
    this.#what = what;
  }

  show(done: number, total: number): void {
    if (!this.#terminal.isTerminal) return;
    const filled = total === 0 ? WIDTH : Math.round((Math.min(done, total) / total) * WIDTH);
    const bar = `${this.#what} [${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${done}/${total}`;
    if (bar !== this.#shown) this.#terminal.err(`\r\x1b[K${bar}`);
    this.#shown = bar;
  }

  end(): void {
    if (this.#shown !== '') this.#terminal.err('\r\x1b[K');
    this.#shown = '';
  }
}
