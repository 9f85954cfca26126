// later.ts -- commands that are promised and not built yet: they say so, instead of being unknown

import type { Command } from 'commander';
import { CodedError } from '../base/errors.ts';

const LATER: Readonly<Record<string, string>> = {
  cluster: 'the nodes that share one registry',
};

/** Add them all. */
export function addLaterCommands(program: Command): void {
  for (const [name, description] of Object.entries(LATER)) {
    program
      .command(name)
      .description(`${description} (not supported yet)`)
      .argument('[arguments...]')
      .allowUnknownOption()
      .action(() => {
        throw new CodedError('not_supported', `rollcall ${name} is not supported yet`);
      });
  }
}
