#!/usr/bin/env node
// main.ts -- the command `rollcall`: from the arguments to the exit code

import { runCli } from './cli/program.ts';
import { processTerminal } from './cli/terminal.ts';

// Whoever reads our output may have seen enough: `rollcall instances | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});
process.exitCode = await runCli(process.argv.slice(2), processTerminal());
