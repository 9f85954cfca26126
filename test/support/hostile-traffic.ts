// hostile-traffic.ts -- seeded garbage and broken clients for a running server

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Random } from '../../src/base/random.ts';
import type { Address } from './built-server.ts';
import { sampleMessages } from './sample-messages.ts';

const SAMPLES = sampleMessages();
/** Their replies are more than the buffers of a connection hold. */
const FLOOD = 100_000;

/** A message broken in one of the ways that fuzzing has found worthwhile. */
export function brokenMessage(random: Random): Uint8Array {
  const kind = random.below(10);
  if (kind === 0) return randomOctets(random, random.below(600));
  const message = Uint8Array.from(SAMPLES[random.below(SAMPLES.length)]!);
  if (kind === 1) return message.subarray(0, random.below(message.length + 1));
  if (kind === 2) return Buffer.concat([message, randomOctets(random, 1 + random.below(300))]);
  // The counts, and the flags.
  if (kind === 3) message[2 + random.below(10)] = random.below(256);
  // A compression pointer anywhere.
  if (kind === 4 && message.length > 14) {
    const at = 12 + random.below(message.length - 13);
    message[at] = 0xc0 | random.below(64);
    message[at + 1] = random.below(256);
  }
  for (let i = random.below(6); i >= 0; i--) message[random.below(message.length)] = random.below(256);
  return message;
}

function randomOctets(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.below(256));
}

/** Sends to one server and counts what comes back. */
export class UdpThrower {
  replies = 0;
  readonly #socket: UdpSocket;

  private constructor(socket: UdpSocket) {
    this.#socket = socket;
    socket.on('message', () => this.replies++);
    // Port unreachable, should the server be gone: the honest questions tell.
    socket.on('error', () => {});
  }

  static async open(server: Address): Promise<UdpThrower> {
    const socket = createSocket('udp4');
    socket.connect(server.port, server.address);
    await once(socket, 'connect');
    return new UdpThrower(socket);
  }

  throw(message: Uint8Array): void {
    this.#socket.send(message, () => {});
  }

  close(): void {
    this.#socket.close();
  }
}

/** What bad TCP clients do once they are connected. */
export const TCP_TRICKS: Readonly<Record<string, (socket: Socket, random: Random) => void>> = {
  'connects and says nothing': () => {},
  'half of a length': (socket) => socket.write(Uint8Array.of(0)),
  'length 0': (socket) => socket.write(Uint8Array.of(0, 0)),
  '65,535 octets announced, ten sent': (socket) =>
    socket.write(Buffer.concat([Uint8Array.of(255, 255), Buffer.alloc(10)])),
  '65,535 octets of nothing': (socket) => socket.write(Buffer.concat([Uint8Array.of(255, 255), Buffer.alloc(65_535)])),
  'half a message': (socket, random) => {
    const message = framed(brokenMessage(random));
    socket.write(message.subarray(0, Math.ceil(message.length / 2)));
  },
  'half a message, then a reset': (socket, random) => {
    socket.write(framed(brokenMessage(random)).subarray(0, 9), () => socket.resetAndDestroy());
  },
  'a question, then a reset': (socket) => {
    socket.write(framed(SAMPLES[0]!), () => socket.resetAndDestroy());
  },
  'broken messages in a row': (socket, random) => {
    for (let i = 0; i < 50; i++) socket.write(framed(brokenMessage(random)));
  },
  'a flood of questions, replies unread': (socket) => {
    socket.pause();
    socket.write(Buffer.concat(Array(FLOOD).fill(framed(SAMPLES[0]!))));
  },
  'no DNS at all': (socket) => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
};

/** A message behind its length (RFC 1035 section 4.2.2). */
export function framed(message: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** An open connection; what comes is let pass, a reset as well. */
export async function openSocket({ address, port }: Address): Promise<Socket> {
  const socket = connect(port, address);
  socket.on('error', () => {});
  socket.on('data', () => {});
  await once(socket, 'connect');
  return socket;
}
