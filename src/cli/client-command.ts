// client-command.ts -- what the commands that talk to a server have in common

import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { CodedError, errorMessage } from '../base/errors.ts';
import { ApiClient, DEFAULT_URL } from './http-client.ts';
import type { Terminal } from './terminal.ts';

/** What commands are run with. */
export interface Shell {
  readonly terminal: Terminal;
  /** What the process ends with when the command does; 0 when it says nothing. */
  exitCode: number;
}

/** Options of every client command. */
export interface ClientOptions {
  readonly http?: string;
  readonly token?: string;
  readonly json?: boolean;
}

/** Give a command the options of every client command. */
export function addClientOptions(command: Command): Command {
  return command
    .option('--http <url>', `where the server is (default: ROLLCALL_HTTP, else ${DEFAULT_URL})`)
    .option('--token <token>', 'token to show (default: ROLLCALL_TOKEN)')
    .option('--json', 'print JSON');
}

/** The client that the options and the environment ask for. */
export function openApi(options: ClientOptions, { env }: Terminal): ApiClient {
  const url = options.http ?? (env.ROLLCALL_HTTP || DEFAULT_URL);
  return new ApiClient({ url, token: options.token ?? (env.ROLLCALL_TOKEN || undefined) });
}

/** Reads an option's value as a whole number; commander reports what is none. */
export function integerOption(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** For options that may be repeated. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Add a `key=value` to the ones before. */
export function collectPairs(value: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = value.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be key=value.');
  return { ...before, [value.slice(0, at)]: value.slice(at + 1) };
}

/** The JSON object in a file, or in standard input for `-`. Throws CodedError `usage`. */
export async function readJsonFile(file: string, terminal: Terminal): Promise<Record<string, unknown>> {
  const name = file === '-' ? 'standard input' : file;
  let value: unknown;
  try {
    value = JSON.parse(file === '-' ? await terminal.readInput() : await readFile(file, 'utf8'));
  } catch (thrown) {
    throw new CodedError('usage', `${name}: ${errorMessage(thrown)}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new CodedError('usage', `${name} does not hold a JSON object`);
}
