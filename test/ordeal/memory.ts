// memory.ts -- what one of 100,000 instances weighs in the main thread and in a shard, before and after every name was asked
//
// Twice: the heap of each thread after a collection, which is what the data weigh, and the resident memory of the whole
// process as it is, with the garbage that V8 has not seen a reason to collect. An empty server's is taken off.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLASS, TYPE } from '../../src/dns/codes.ts';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { buildOnce } from '../support/built-server.ts';
import {
  INSTANCES,
  LargeServer,
  makeLargeFolder,
  PER_SERVICE,
  type Scope,
  serviceName,
  type Weight,
} from './large-server.ts';
import { type OrdealRow, showProgress } from './ordeal-result.ts';

const SERVICES = INSTANCES / PER_SERVICE;
const SETTLED_MS = 3000;
/** Questions under way at a time. */
const WINDOW = 32;
const PATIENCE_MS = 5000;
const MAIN_KIB = 1.5;
const SHARD_KIB = 0.7;

export async function memory(scope: Scope): Promise<OrdealRow[]> {
  await buildOnce();
  const folder = await makeLargeFolder(scope, true);
  const emptyFolder = await makeLargeFolder(scope, false);
  const empty = await measure(emptyFolder, scope, 'ns.service.local.', []);
  const names = Array.from({ length: SERVICES }, (_, number) => serviceName(number));
  const full = await measure(folder, scope, names[0]!, names);
  const weightRow = (what: string, thread: 'main' | 'shard', state: 'cold' | 'warm', promised: number): OrdealRow =>
    row(`heap and external memory of ${what}`, octets(full[state][thread]) - octets(empty[state][thread]), promised);
  return [
    weightRow('the main thread', 'main', 'cold', MAIN_KIB),
    weightRow('a shard, nothing asked yet', 'shard', 'cold', SHARD_KIB),
    weightRow('a shard, every service asked for A, SRV and AAAA', 'shard', 'warm', SHARD_KIB),
    row('resident, main thread and one shard, nothing asked yet', full.cold.resident - empty.cold.resident, 2.2),
    row('resident, main thread and one shard, all asked', full.warm.resident - empty.warm.resident, 2.2),
  ];
}

function octets({ heap, external }: Weight): number {
  return heap + external;
}

function row(what: string, bytes: number, promised: number): OrdealRow {
  const perInstance = bytes / INSTANCES / 1024;
  return {
    what: `${what}, per instance`,
    measured: `${perInstance.toFixed(2)} KiB`,
    promised: `${promised} KiB`,
    isKept: perInstance <= promised,
  };
}

interface Measured {
  readonly main: Weight;
  readonly shard: Weight;
  readonly resident: number;
}

/** Two servers, one after the other: collecting garbage for the first figures would spoil the second. */
async function measure(
  folder: string,
  scope: Scope,
  first: string,
  names: readonly string[],
): Promise<{ cold: Measured; warm: Measured }> {
  const probed = await LargeServer.start(folder, scope, first, true);
  const coldWeights = await probed.weigh();
  await askAll(probed, names);
  const warmWeights = await probed.weigh();
  await probed.stop();
  const plain = await LargeServer.start(folder, scope, first);
  await sleep(SETTLED_MS);
  const coldResident = plain.residentBytes();
  await askAll(plain, names);
  await sleep(SETTLED_MS);
  const warmResident = plain.residentBytes();
  await plain.stop();
  return {
    cold: { ...coldWeights, resident: coldResident },
    warm: { ...warmWeights, resident: warmResident },
  };
}

/** Ask for A, SRV and AAAA of every name; rejects when answers stay out. */
async function askAll({ dns }: LargeServer, names: readonly string[]): Promise<void> {
  const socket = createSocket('udp4');
  socket.connect(dns.port, dns.address);
  await once(socket, 'connect');
  const questions = names.flatMap((name) => [TYPE.A, TYPE.SRV, TYPE.AAAA].map((type) => ({ name, type })));
  let asked = 0;
  let answered = 0;
  const ask = (): void => {
    const { name, type } = questions[asked]!;
    const query = queryMessage(asked++ & 0xffff, { name: parseName(name), type, class: CLASS.IN });
    socket.send(encodeMessage({ ...query }));
  };
  let deadlineMs = performance.now() + PATIENCE_MS;
  socket.on('message', () => {
    answered++;
    deadlineMs = performance.now() + PATIENCE_MS;
    if (asked < questions.length) ask();
  });
  while (asked < Math.min(WINDOW, questions.length)) ask();
  while (answered < questions.length) {
    if (performance.now() > deadlineMs) throw new Error(`${questions.length - answered} questions unanswered`);
    showProgress('asking', answered, questions.length);
    await sleep(100);
  }
  socket.close();
}
