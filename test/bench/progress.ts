// progress.ts -- what is going on: one line that is written over on a terminal, a line for each stage elsewhere

/** Says on stderr what is being done. */
export class Progress {
  readonly #isTerminal = process.stderr.isTTY === true;
  #stage = '';

  /** A new stage, as `round 2 of 5`. */
  stage(text: string): void {
    this.#stage = text;
    if (!this.#isTerminal) this.note(text);
  }

  /** A step of the stage: seen on a terminal only. */
  step(text: string): void {
    if (this.#isTerminal) process.stderr.write(`\r\x1b[K${this.#stage}: ${text}`);
  }

  /** A line that stays. */
  note(text: string): void {
    process.stderr.write(this.#isTerminal ? `\r\x1b[K${text}\n` : `${text}\n`);
  }

  end(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K');
  }
}
