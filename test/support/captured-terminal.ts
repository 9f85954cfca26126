// captured-terminal.ts -- runs a command line inside the test and keeps what it wrote

import { createColors } from 'picocolors';
import { runCli } from '../../src/cli/program.ts';

/** How a command line ended. */
export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CliWorld {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Pretend that standard output is a terminal, in colour. */
  readonly isTerminal?: boolean;
  /** Called with everything written to standard output so far. */
  readonly onOut?: (out: string) => void;
}

/** Run `rollcall ...argv`. */
export async function runCommand(argv: readonly string[], world: CliWorld = {}): Promise<CliRun> {
  const { env = {}, cwd = process.cwd(), input = '', isTerminal = false } = world;
  let [out, err] = ['', ''];
  const code = await runCli(argv, {
    isTerminal,
    columns: 80,
    colors: createColors(isTerminal),
    env,
    cwd,
    out(text) {
      out += text;
      world.onOut?.(out);
    },
    err(text) {
      err += text;
    },
    readInput: async () => input,
  });
  return { code, out, err };
}
