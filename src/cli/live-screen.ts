// live-screen.ts -- some lines on a terminal that are drawn again and again in the same place

import type { Terminal } from './terminal.ts';

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
/** Lines that are too long are cut, so that a line stays one line. */
const NO_WRAP = '\x1b[?7l';
const WRAP = '\x1b[?7h';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** For terminals only. */
export class LiveScreen {
  readonly #terminal: Terminal;
  #lines = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Show these lines, each with a line end, instead of those before. */
  draw(text: string): void {
    const up = this.#lines === 0 ? HIDE_CURSOR + NO_WRAP : `\x1b[${this.#lines}A\r`;
    this.#terminal.out(`${up}${text.replaceAll('\n', `${CLEAR_LINE}\n`)}${CLEAR_BELOW}`);
    this.#lines = text.split('\n').length - 1;
  }

  /** Leave what was drawn last, and give the cursor back. */
  end(): void {
    if (this.#lines > 0) this.#terminal.out(WRAP + SHOW_CURSOR);
    this.#lines = 0;
  }
}
