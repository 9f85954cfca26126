// watch.ts -- `rollcall watch`: changes as they happen, one on each line, over cuts and restarts of the server

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { CodedError } from '../base/errors.ts';
import { addClientOptions, type ClientOptions, openApi, type Shell } from './client-command.ts';
import { readEvents, type StreamEvent } from './event-stream.ts';
import { type ApiClient, isCut } from './http-client.ts';
import { printable, statusColor, toJson } from './output.ts';
import type { Terminal } from './terminal.ts';

interface WatchOptions extends ClientOptions {
  readonly since?: string;
}

/** What is shown of an event's data. */
interface ChangeData {
  readonly service: string;
  readonly at: string;
  readonly by?: { readonly kind: string; readonly id?: string; readonly address?: string } | null;
  readonly instance?: { readonly id: string; readonly status: string; readonly reason: string };
  /** Where the steps of a policy went; `reason` says why. */
  readonly rollout?: { readonly state: string };
  readonly reason?: string;
}

/** The server says something every 15 seconds; silence for longer than this is a cut. */
const SILENCE_MS = 45_000;
const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 10_000;

/** Add the command. */
export function addWatchCommand(program: Command, shell: Shell): void {
  addClientOptions(program.command('watch [service]').description('print changes as they happen'))
    .option('--since <id>', 'begin behind this event')
    .action((service: string | undefined, options: WatchOptions) => watch(service, options, shell));
}

async function watch(service: string | undefined, options: WatchOptions, { terminal }: Shell): Promise<never> {
  const api = openApi(options, terminal);
  const show = options.json ? showJson : showLine;
  let lastId = options.since;
  let retryMs = 0;
  if (!options.json && terminal.isTerminal) terminal.out(line(terminal, ...HEADS));
  for (;;) {
    try {
      const end = await follow(api, service, lastId, (event) => {
        lastId = event.id ?? lastId;
        retryMs = FIRST_RETRY_MS;
        if (event.data !== undefined && event.event !== 'end') show(event, terminal);
      });
      if (end === 'access') throw new CodedError('forbidden', 'the token may no longer watch here');
    } catch (thrown) {
      // Before the first event everything is told; after it the server may be away for a while.
      const isGone = thrown instanceof CodedError && thrown.code === 'event_gone';
      if (retryMs === 0 || !(isGone || isCut(thrown))) throw thrown;
      if (isGone) {
        lastId = undefined;
        terminal.err('changes were missed: the server was restarted, or this took too long\n');
        continue;
      }
    }
    await sleep(retryMs);
    retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
  }
}

/** Hand on everything that comes until the stream ends; resolves with the reason the server gave, if it gave one. */
async function follow(
  api: ApiClient,
  service: string | undefined,
  lastId: string | undefined,
  onEvent: (event: StreamEvent) => void,
): Promise<string | undefined> {
  const headers = { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) };
  const octets = await api.stream('/v1/watch', { query: { service }, headers, silenceMs: SILENCE_MS });
  for await (const event of readEvents(octets)) {
    onEvent(event);
    if (event.event === 'end') return (JSON.parse(event.data ?? '{}') as { reason?: string }).reason;
  }
  return undefined;
}

function showJson({ event, id, data }: StreamEvent, terminal: Terminal): void {
  terminal.out(toJson({ event, id, ...(JSON.parse(data ?? '{}') as object) }, 0));
}

const HEADS = ['TIME', 'CHANGE', 'SERVICE', 'INSTANCE', 'STATUS', 'BY', 'REASON'] as const;
const WIDTHS = [24, 10, 20, 24, 11, 24, 0];

function showLine({ event = '', data = '{}' }: StreamEvent, terminal: Terminal): void {
  const { service, at, by, instance, rollout, reason: why = '' } = JSON.parse(data) as ChangeData;
  const author = [by?.kind, by?.id, by?.address].filter((each) => each !== undefined).join(' ');
  const { id = '', status = rollout?.state ?? '', reason = why } = instance ?? {};
  terminal.out(line(terminal, at, event, service, id, status, author, reason));
}

/** As a row of a table whose other rows are not known yet: columns hold as long as what stands in them is short. */
function line(terminal: Terminal, ...cells: string[]): string {
  const padded = cells.map((cell, index) => {
    const text = printable(cell).padEnd(WIDTHS[index] ?? 0);
    return index === 4 && cell !== 'STATUS' && cell !== '' ? text.replace(cell, statusColor(terminal)) : text;
  });
  return `${padded.join('  ').trimEnd()}\n`;
}
