// crew.ts -- a process of its own that does something to a server until it is told to stop, and then reports

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** `Options` go to the process as JSON; `Report` is what it says at the end. */
export class Crew<Report> {
  readonly #child: ChildProcess;
  readonly #report: Promise<Report>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#report = new Promise<Report>((resolve, reject) => {
      child.once('message', (report) => resolve(report as Report));
      child.once('error', reject);
      child.once('exit', (code, signal) => reject(new Error(`the crew ended early (${signal ?? code})`)));
    });
    // Whoever asks for the report hears of it.
    this.#report.catch(() => {});
  }

  /** Fork a script; it is killed when the scope ends. */
  static async start<Options, Report>(
    scope: { after(cleanup: () => unknown): void },
    script: URL,
    options: Options,
  ): Promise<Crew<Report>> {
    const child = fork(fileURLToPath(script), [JSON.stringify(options)], { execArgv: ['--import', 'tsx'] });
    scope.after(() => child.kill('SIGKILL'));
    const crew = new Crew<Report>(child);
    await once(child, 'spawn');
    return crew;
  }

  /** Tell it to stop now. */
  stop(): Promise<Report> {
    if (this.#child.connected) this.#child.send('stop');
    return this.#report;
  }

  /** Resolves when it has done all it was to do. */
  get report(): Promise<Report> {
    return this.#report;
  }
}

/** For the process itself: `finish` is called once, when it is told to stop or `done` does, and makes the report. */
export function reportAtEnd(finish: () => unknown): { done(): void } {
  let isOver = false;
  const done = (): void => {
    if (isOver) return;
    isOver = true;
    process.send?.(finish(), () => process.exit());
  };
  process.on('message', done);
  process.on('disconnect', () => process.exit());
  return { done };
}
