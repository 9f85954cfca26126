// raw-questions.ts -- octets put to a running server over UDP, TCP or TLS, and what comes back, silence included
//
// Silence is not waited for: behind each message two questions follow, one after the other, that every server answers.
// What has not been answered when they are, will not be.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Endpoint } from '../../src/base/ip.ts';
import { queryOctets } from './query-text.ts';
import { framed } from './stream-client.ts';

/** One way to a server. */
export interface QuestionPath {
  readonly transport: 'udp' | 'tcp' | 'tls' | 'https';
  /** The reply, or undefined for silence (on a stream, also a connection closed without a word). */
  exchange(message: Uint8Array): Promise<Buffer | undefined>;
  close(): void;
}

/** Ids that queries under test must not have. */
const LAST_IDS = [0xfffe, 0xffff];
const LAST = LAST_IDS.map((id) => queryOctets('last.invalid. A', id));
const PATIENCE_MS = 10_000;
const AGAIN_MS = 1000;

/** Over one UDP socket. */
export async function udpPath({ address, port }: Endpoint): Promise<QuestionPath> {
  const socket = await udpSocket(address, port);
  return {
    transport: 'udp',
    exchange: (message) => exchangeUdp(socket, message),
    close: () => socket.close(),
  };
}

/** Over a new TCP connection for each message, over TLS without a look at the certificate if so wished. */
export function streamPath({ address, port }: Endpoint, transport: 'tcp' | 'tls'): QuestionPath {
  const open = () =>
    transport === 'tls'
      ? connectTls({ host: address, port, rejectUnauthorized: false, ALPNProtocols: ['dot'] })
      : connect({ host: address, port, noDelay: true });
  return {
    transport,
    exchange: async (message) => (await exchangeStream(open(), message))[0],
    close: () => {},
  };
}

/** By POST to the API's listener at this URL (RFC 8484); another status than 200 is silence. */
export function httpPath(url: string): QuestionPath {
  return {
    transport: 'https',
    exchange: async (message) => {
      const reply = await fetch(`${url}/dns-query`, {
        method: 'POST',
        headers: { 'content-type': 'application/dns-message' },
        body: Uint8Array.from(message),
      });
      const octets = Buffer.from(await reply.arrayBuffer());
      return reply.status === 200 ? octets : undefined;
    },
    close: () => {},
  };
}

/** All messages, written at once, and all their replies, over one TCP connection. */
export function exchangeAll({ address, port }: Endpoint, messages: readonly Uint8Array[]): Promise<Buffer[]> {
  return exchangeStream(connect({ host: address, port, noDelay: true }), Buffer.concat(messages.map(framed)), true);
}

/** One question over TCP; undefined when nobody is there. For finding out whether a server is up. */
export async function askOnce({ address, port }: Endpoint, query: Uint8Array): Promise<Buffer | undefined> {
  const socket = connect({ host: address, port });
  socket.setTimeout(1000, () => socket.destroy());
  let received = Buffer.alloc(0);
  try {
    socket.write(framed(query));
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) return received.subarray(2);
    }
  } catch {
    // nobody there
  } finally {
    socket.destroy();
  }
  return undefined;
}

async function udpSocket(address: string, port: number): Promise<UdpSocket> {
  const socket = createSocket('udp4');
  socket.connect(port, address);
  await once(socket, 'connect');
  return socket;
}

async function exchangeUdp(socket: UdpSocket, message: Uint8Array): Promise<Buffer | undefined> {
  const got: Buffer[] = [];
  let wake = (): void => {};
  const onMessage = (reply: Buffer): void => {
    got.push(reply);
    wake();
  };
  socket.on('message', onMessage);
  const deadlineMs = performance.now() + PATIENCE_MS;
  try {
    socket.send(message);
    for (const [i, last] of LAST.entries()) {
      let isSeen = false;
      while (!isSeen) {
        if (performance.now() > deadlineMs) throw new Error('the server is silent to everything');
        socket.send(last);
        isSeen = await new Promise<boolean>((resolve) => {
          const timer = setTimeout(() => resolve(false), AGAIN_MS);
          wake = () => {
            if (!got.some((reply) => hasId(reply, LAST_IDS[i]!))) return;
            clearTimeout(timer);
            resolve(true);
          };
          wake();
        });
      }
    }
    const replies = got.filter((reply) => !LAST_IDS.some((id) => hasId(reply, id)));
    if (replies.length > 1) throw new Error(`${replies.length} replies to one message`);
    return replies[0];
  } finally {
    socket.off('message', onMessage);
  }
}

async function exchangeStream(socket: Socket, message: Uint8Array, isFramed = false): Promise<Buffer[]> {
  const replies: Buffer[] = [];
  let pending = Buffer.alloc(0);
  let lastAt = 0;
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('the server is silent')));
  try {
    socket.write(Buffer.concat([isFramed ? message : framed(message), framed(LAST[0]!)]));
    for await (const chunk of socket) {
      pending = Buffer.concat([pending, chunk as Buffer]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const end = 2 + pending.readUInt16BE(0);
        const reply = pending.subarray(2, end);
        pending = pending.subarray(end);
        if (!hasId(reply, LAST_IDS[lastAt]!)) replies.push(reply);
        else if (++lastAt === LAST.length) return replies;
        else socket.write(framed(LAST[lastAt]!));
      }
    }
  } catch (thrown) {
    // A server may close the connection of who sends garbage, and do so with a reset.
    if ((thrown as NodeJS.ErrnoException).code !== 'ECONNRESET' && (thrown as NodeJS.ErrnoException).code !== 'EPIPE')
      throw thrown;
  } finally {
    socket.destroy();
  }
  return replies;
}

function hasId(message: Buffer, id: number): boolean {
  return message.length >= 2 && message.readUInt16BE(0) === id;
}
