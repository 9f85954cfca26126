// flood-crew.ts -- a process that floods a server with queries from many addresses, and counts what comes back
//
// Forked by flood.ts. Queries go out at a fixed rate, whatever the server does; every one has a name of its own where
// its text has `xxxxxxxxxxxx`.

import { constants, setPriority } from 'node:os';
import { seededRandom } from '../../src/base/random.ts';
import { BULK, BulkPort } from './bulk-port.ts';
import { reportAtEnd } from './crew.ts';
import type { FloodOptions, FloodReport } from './flood.ts';
import { queryOctets } from './query-text.ts';

const WILD = 'x'.repeat(12);
const TICK_MS = 1;
const SETTLE_MS = 500;
const LETTERS = Buffer.from('abcdefghijklmnopqrstuvwxyz012345');

const { server, sources, questions, perSecond, seconds } = JSON.parse(process.argv[2]!) as FloodOptions;
// Whoever asks honestly goes first on this machine: clients are not on one with the flood.
setPriority(process.pid, constants.priority.PRIORITY_LOW);
const port = new BulkPort(server, sources);
const random = seededRandom(1);
const templates = questions.map((question) => {
  const octets = queryOctets(question, 0);
  return { octets, wildAt: octets.indexOf(WILD), isEdns: octets[11] === 1 };
});
const batch: Buffer[] = Array.from({ length: BULK }, () => Buffer.alloc(0));
const report: { -readonly [Key in keyof FloodReport]: FloodReport[Key] } = {
  sent: 0,
  octetsSent: 0,
  replies: 0,
  octetsReceived: 0,
  whole: 0,
  largest: 0,
  largestWithoutEdns: 0,
  rcodes: {},
  seconds: 0,
  startedMs: Date.now(),
  endedMs: 0,
};
const rcodes: Record<string, number> = {};
let nextSocket = 0;
let serial = 0;
const startMs = performance.now();
const { done } = reportAtEnd(() => ({ ...report, rcodes }));
turn();

function turn(): void {
  const elapsedSeconds = (performance.now() - startMs) / 1000;
  const dueSeconds = Math.min(elapsedSeconds, seconds ?? Number.POSITIVE_INFINITY);
  const due = Math.floor(dueSeconds * perSecond) - report.sent;
  // One turn of sending at most, so that replies are taken meanwhile.
  for (let left = Math.min(due, 32 * BULK); left > 0; left -= BULK) send(Math.min(left, BULK));
  drain();
  report.seconds = dueSeconds;
  if (seconds !== undefined && elapsedSeconds > seconds && due <= 0) {
    setTimeout(() => {
      drain();
      done();
    }, SETTLE_MS);
  } else if (due > 32 * BULK) setImmediate(turn);
  else setTimeout(turn, TICK_MS);
}

function send(count: number): void {
  for (let i = 0; i < count; i++) batch[i] = nextQuery();
  const queries = count === BULK ? batch : batch.slice(0, count);
  const taken = port.send(nextSocket, queries);
  nextSocket = (nextSocket + 1) % port.sockets;
  report.endedMs = Date.now();
  // What the system did not take would have been lost on a wire as well.
  report.sent += count;
  for (let i = 0; i < taken; i++) report.octetsSent += queries[i]!.length;
}

/** Its id says which of the questions it was made of. */
function nextQuery(): Buffer {
  const index = serial++ % templates.length;
  const { octets, wildAt } = templates[index]!;
  const query = Buffer.from(octets);
  query.writeUInt16BE(index, 0);
  if (wildAt >= 0) for (let i = 0; i < WILD.length; i++) query[wildAt + i] = LETTERS[random.below(32)]!;
  return query;
}

function drain(): void {
  for (let socket = 0; socket < port.sockets; socket++) while (port.receive(socket, count) === BULK);
}

function count(reply: Buffer): void {
  report.replies++;
  report.octetsReceived += reply.length;
  report.largest = Math.max(report.largest, reply.length);
  const isEdns = templates[reply.readUInt16BE(0)]?.isEdns === true;
  if (!isEdns) report.largestWithoutEdns = Math.max(report.largestWithoutEdns, reply.length);
  if ((reply[2]! & 0x02) === 0) report.whole++;
  const rcode = String(reply[3]! & 0xf);
  rcodes[rcode] = (rcodes[rcode] ?? 0) + 1;
}
