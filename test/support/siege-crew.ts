// siege-crew.ts -- a process that holds hostile TCP connections open to a server until it is told to stop
//
// Forked by tcp-siege.ts, so that its work delays nobody who measures. A connection that the server closes is opened
// anew, so that there are always as many.

import { connect, type Socket } from 'node:net';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import type { Address } from './built-server.ts';
import { parseQuestion } from './name-server.ts';
import { framed } from './stream-client.ts';

export interface CrewOptions {
  readonly server: Address;
  readonly connections: number;
  /** `name type` of what is asked. */
  readonly question: string;
}

/** What the crew says when it is done. */
export interface CrewReport {
  readonly opened: number;
  /** Replies that pipeliners took. */
  readonly answered: number;
}

const PIPELINED = 1000;
const REOPEN_MS = 200;
const DRIBBLE_MS = 100;

const { server, connections, question } = JSON.parse(process.argv[2]!) as CrewOptions;
const QUERY = framed(encodeMessage(queryMessage(1, parseQuestion(question))));
const MANY = Buffer.concat(Array(PIPELINED).fill(QUERY));
const HUGE = Buffer.concat([Uint8Array.of(0xff, 0xff), Buffer.alloc(65_534)]);
const counts = { opened: 0, answered: 0 };
let isOver = false;

/** What they do once they are connected. */
const ROLES: readonly ((socket: Socket) => void)[] = [
  // Says nothing.
  () => {},
  // Announces as much as there can be.
  (socket) => socket.write(HUGE.subarray(0, 3)),
  // Sends half of it.
  (socket) => socket.write(HUGE.subarray(0, 32_768)),
  // All but the last octet.
  (socket) => socket.write(HUGE),
  // Octet by octet.
  (socket) => {
    const timer = setInterval(() => socket.writable && socket.write(Uint8Array.of(1)), DRIBBLE_MS);
    socket.once('close', () => clearInterval(timer));
  },
  // Asks and does not read.
  (socket) => {
    socket.pause();
    const ask = (error?: Error | null): void => {
      if (error == null && socket.writable) socket.write(MANY, ask);
    };
    ask();
  },
  // Asks a lot and resets in the middle of the replies.
  (socket) => {
    socket.write(MANY);
    setTimeout(() => socket.resetAndDestroy(), 20);
  },
  // Asks a thousand questions at once, reads the replies, and again.
  (socket) => {
    let octets = 0;
    let replyOctets = 0;
    socket.on('data', (chunk) => {
      if (replyOctets === 0) replyOctets = 2 + (chunk as Buffer).readUInt16BE(0);
      octets += (chunk as Buffer).length;
      if (octets < PIPELINED * replyOctets) return;
      counts.answered += PIPELINED;
      octets = 0;
      setTimeout(() => socket.writable && socket.write(MANY), REOPEN_MS);
    });
    socket.write(MANY);
  },
];

const open = new Set<Socket>();
for (let i = 0; i < connections; i++) setTimeout(() => besiege(ROLES[i % ROLES.length]!), i % 1000);

function besiege(role: (socket: Socket) => void): void {
  if (isOver) return;
  const socket = connect(server.port, server.address);
  open.add(socket);
  socket.on('error', () => {});
  socket.once('connect', () => {
    counts.opened++;
    role(socket);
    if (!socket.isPaused()) socket.resume();
  });
  socket.once('close', () => {
    open.delete(socket);
    setTimeout(() => besiege(role), REOPEN_MS);
  });
}

process.on('message', () => {
  isOver = true;
  for (const socket of open) socket.resetAndDestroy();
  process.send?.(counts satisfies CrewReport, () => process.exit());
});
process.on('disconnect', () => process.exit());
