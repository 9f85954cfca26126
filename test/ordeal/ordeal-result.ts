// ordeal-result.ts -- what an ordeal is given and what it tells

/** One figure and what it should be. */
export interface OrdealRow {
  readonly what: string;
  readonly measured: string;
  readonly promised: string;
  readonly isKept: boolean;
}

/** `after` takes what is to be done when an ordeal is over, whatever happens. */
export interface Scope {
  after(cleanup: () => unknown): void;
}

export interface OrdealOptions {
  /** For how long, where that can be chosen. */
  readonly minutes: number | undefined;
  /** How many questions are asked, where that can be chosen. */
  readonly questions: number | undefined;
}

export type Ordeal = (scope: Scope, options: OrdealOptions) => Promise<OrdealRow[]>;

/** How far a long run is, on a terminal; nothing elsewhere. */
export function showProgress(what: string, done: number, total: number): void {
  if (!process.stderr.isTTY) return;
  const filled = Math.round((done / total) * 30);
  process.stderr.write(`\r\x1b[K${what} [${'#'.repeat(filled)}${'.'.repeat(30 - filled)}] ${done}/${total}`);
  if (done >= total) process.stderr.write('\r\x1b[K');
}
