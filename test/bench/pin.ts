// pin.ts -- holds this process, and with it everything it starts, to one CPU

import { run } from '../support/tools.ts';

/** Throws when there is no such CPU. */
export async function pinTo(core: number): Promise<void> {
  const { exitCode, stderr } = await run('taskset', ['-a', '-p', '-c', String(core), String(process.pid)]);
  if (exitCode !== 0) throw new Error(`two CPUs are needed: ${stderr.trim()}`);
}
