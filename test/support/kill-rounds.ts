// kill-rounds.ts -- eight writers, a kill -9 at a random moment, a restart, and a comparison with what was acknowledged
//
// Every writer has a service of its own and writes one thing at a time, so of each instance it is known what was
// acknowledged last, and which one write was under way when the server died: that one may have happened or not.
// A phantom is anything else: a state that was refused, that was never asked for, or that was acknowledged away.

import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BuiltServer, startBuiltServer } from './built-server.ts';

const WRITERS = 8;
/** No more than an answer holds. */
const SLOTS = 6;
const MOST_MS = 400;

/** What of all rounds was wrong; both 0 in a store that keeps its word. */
export interface KillResult {
  acknowledged: number;
  lost: string[];
  phantoms: string[];
  wrongAnswers: string[];
}

/** An instance as written: its address tells which write it was. Undefined: not registered. */
type State = { readonly address: string; readonly draining: boolean } | undefined;

interface Slot {
  readonly service: string;
  readonly id: string;
  known: State;
  /** What a write without a reply may have made of it. */
  possible: State[];
  /** Every state it was ever known in. */
  readonly history: Set<string>;
}

/** Run rounds in one folder, one after the other, and call `onRound` after each. */
export async function killRounds(
  t: Pick<TestContext, 'after'>,
  rounds: number,
  onRound: (round: number) => void = () => {},
): Promise<KillResult> {
  const result: KillResult = { acknowledged: 0, lost: [], phantoms: [], wrongAnswers: [] };
  const writers = Array.from({ length: WRITERS }, (_, writer) =>
    Array.from({ length: SLOTS }, (_unused, slot): Slot => {
      return {
        service: `svc-${writer}`,
        id: `svc-${writer}-${slot}`,
        known: undefined,
        possible: [],
        history: new Set(),
      };
    }),
  );
  let version = 0;
  const nextAddress = (): string => {
    version += 1;
    return `10.${(version >> 16) & 255}.${(version >> 8) & 255}.${version & 255}`;
  };
  let server = await startBuiltServer(t);
  for (let round = 1; round <= rounds; round++) {
    const { signal, abort } = aborter();
    const running = Promise.all(writers.map((slots) => write(server, slots, nextAddress, signal, result)));
    running.catch(() => {}); // it is told below
    await sleep(Math.random() * MOST_MS);
    server.kill('SIGKILL');
    await server.exited;
    abort();
    await running;
    server = await startBuiltServer(t, { folder: server.folder });
    await compare(server, writers, result);
    onRound(round);
  }
  await server.stop();
  return result;
}

function aborter(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

/** Write until the server is gone. */
async function write(
  server: BuiltServer,
  slots: readonly Slot[],
  nextAddress: () => string,
  signal: AbortSignal,
  result: KillResult,
): Promise<void> {
  while (!signal.aborted) {
    const slot = slots[Math.floor(Math.random() * slots.length)]!;
    const { method, path, body, after, isRefused } = anyWrite(slot, nextAddress);
    // Refused or not, a write that has no reply yet may have been seen; what is refused must never be.
    if (!isRefused) slot.possible = [after];
    const reply = await server.api(method, path, body).catch(() => undefined);
    if (reply === undefined) return;
    if (isRefused !== reply.status >= 400) throw new Error(`${method} ${path}: ${reply.status}`);
    if (isRefused) continue;
    slot.known = after;
    slot.possible = [];
    slot.history.add(text(after));
    result.acknowledged += 1;
  }
}

interface Write {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  readonly after: State;
  readonly isRefused: boolean;
}

/** Something that may be written to the slot as it is. */
function anyWrite({ service, id, known }: Slot, nextAddress: () => string): Write {
  const path = `/v1/services/${service}/instances/${id}`;
  const chance = Math.random();
  if (chance < 0.1) {
    return { method: 'PUT', path, body: { address: nextAddress(), port: 0 }, after: undefined, isRefused: true };
  }
  if (known === undefined || chance < 0.6) {
    const address = nextAddress();
    const after = { address, draining: known?.draining ?? false };
    return { method: 'PUT', path, body: { address, port: 80 }, after, isRefused: false };
  }
  if (chance < 0.8) {
    const after = { ...known, draining: !known.draining };
    const drain = `/v1/instances/${id}/drain`;
    return { method: known.draining ? 'DELETE' : 'POST', path: drain, after, isRefused: false };
  }
  return { method: 'DELETE', path: `/v1/instances/${id}`, after: undefined, isRefused: false };
}

async function compare(server: BuiltServer, writers: readonly (readonly Slot[])[], result: KillResult): Promise<void> {
  for (const slots of writers) {
    const service = slots[0]!.service;
    const found = await instancesOf(server, service);
    for (const slot of slots) {
      const state = found.get(slot.id);
      found.delete(slot.id);
      if (![slot.known, ...slot.possible].some((each) => text(each) === text(state))) {
        const line = `${slot.id} is ${text(state)}, acknowledged was ${text(slot.known)}`;
        result.lost.push(line);
        // An old state is a lost write only; anything else came out of nowhere.
        if (state !== undefined && !slot.history.has(text(state))) result.phantoms.push(line);
      }
      slot.known = state;
      slot.possible = [];
      slot.history.add(text(state));
    }
    for (const id of found.keys()) result.phantoms.push(`${id} was never registered`);
    const wanted = slots.flatMap(({ known }) => (known === undefined || known.draining ? [] : [known.address])).sort();
    const answered = await server.addresses(`${service}.service.local`).catch((error: NodeJS.ErrnoException) => {
      return error.code === 'ENOTFOUND' ? [] : [String(error.code)];
    });
    if (answered.join() !== wanted.join()) result.wrongAnswers.push(`${service}: ${answered} instead of ${wanted}`);
  }
}

async function instancesOf(server: BuiltServer, service: string): Promise<Map<string, State>> {
  const { status, body } = await server.api('GET', `/v1/services/${service}`);
  const instances: { id: string; address: string; status: string }[] = status === 200 ? body.instances : [];
  return new Map(
    instances.map(({ id, address, status: own }) => [id, { address, draining: own === 'draining' }] as const),
  );
}

function text(state: State): string {
  return state === undefined ? 'absent' : `${state.address}${state.draining ? ' draining' : ''}`;
}
