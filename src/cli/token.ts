// token.ts -- `rollcall token`: a new token, its hash, and the lines for the configuration

import { createHash, randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { scopeProblem } from '../api/token-scopes.ts';
import { CodedError } from '../base/errors.ts';
import { idProblem } from '../registry/label.ts';
import { collect, type Shell } from './client-command.ts';
import { toJson } from './output.ts';

interface TokenOptions {
  readonly id: string;
  readonly allow?: readonly string[];
  readonly json?: boolean;
}

/** 256 bits: a plain hash of it is enough, since nobody guesses it. */
const TOKEN_OCTETS = 32;

/** Add the command. */
export function addTokenCommand(program: Command, shell: Shell): void {
  program
    .command('token')
    .description('make a token; the server keeps only its hash')
    .option('--id <id>', 'name of the token in logs', 'token-1')
    .option('--allow <scope>', 'what it may do, like services:write:cart-*; may be repeated', collect)
    .option('--json', 'print JSON')
    .action((options: TokenOptions) => {
      const { id, allow = ['services:read:*'] } = options;
      for (const problem of [idProblem(id), ...allow.map(scopeProblem)]) {
        if (problem !== undefined) throw new CodedError('usage', problem);
      }
      const token = randomBytes(TOKEN_OCTETS).toString('base64url');
      const hash = `sha256:${createHash('sha256').update(token).digest('hex')}`;
      shell.terminal.out(options.json ? toJson({ id, token, hash, allow }) : describe(id, token, hash, allow));
    });
}

function describe(id: string, token: string, hash: string, allow: readonly string[]): string {
  const scopes = allow.map((scope) => JSON.stringify(scope)).join(', ');
  return `token: ${token}
hash:  ${hash}

The token is shown this once. Clients send it as "Authorization: Bearer <token>", or take it from ROLLCALL_TOKEN.
For rollcall.yaml:

auth:
  tokens:
    - id: ${JSON.stringify(id)}
      hash: "${hash}"
      allow: [${scopes}]
`;
}
