// terminal.ts -- what a command has of the world: streams, environment, folder; a test hands in its own

import { createColors } from 'picocolors';

/** Where a command writes to and reads from. */
export interface Terminal {
  /** Is standard output a terminal? Tables get lines and colours only there. */
  readonly isTerminal: boolean;
  /** Width of the terminal in characters. */
  readonly columns: number;
  readonly colors: ReturnType<typeof createColors>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Write to standard output, as is. */
  out(text: string): void;
  /** Write to standard error, as is. */
  err(text: string): void;
  /** All of standard input, as UTF-8. */
  readInput(): Promise<string>;
}

/** The streams of this process. */
export function processTerminal(): Terminal {
  const { stdout, stderr, stdin, env } = process;
  const isTerminal = stdout.isTTY === true;
  // https://no-color.org: any value but the empty one.
  const wantsColor = isTerminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
  return {
    isTerminal,
    columns: stdout.columns ?? 80,
    colors: createColors(wantsColor),
    env,
    cwd: process.cwd(),
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    async readInput() {
      const chunks: Buffer[] = [];
      for await (const chunk of stdin) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString('utf8');
    },
  };
}
