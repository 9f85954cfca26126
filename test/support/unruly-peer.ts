// unruly-peer.ts -- TCP servers that say nothing, break off, babble, or send an octet now and then

import { createServer, type Server } from 'node:net';

/** Takes a connection and everything that comes in, and never says a word. */
export function silentServer(): Server {
  return createServer((socket) => socket.on('error', () => {}).resume());
}

/** Takes a connection, and resets it when something comes in. */
export function resettingServer(): Server {
  return createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
}

/** Greets with what is no HTTP, HTTP/2 or TLS, control characters and all, and waits. */
export function babblingServer(): Server {
  return createServer((socket) => {
    socket.on('error', () => {});
    socket.resume().write('SSH-2.0-\u001b[2J\u0007\r\n\u0000\u202e\r\n');
  });
}

/** Sends `start` octet by octet, and then its last octet again and again, for as long as anybody listens. */
export function dribblingServer(start: Buffer): Server {
  return createServer((socket) => {
    let at = 0;
    const timer = setInterval(() => {
      const from = Math.min(at++, start.length - 1);
      socket.write(start.subarray(from, from + 1));
    }, 5);
    socket.resume().on('error', () => {});
    socket.once('close', () => clearInterval(timer));
  });
}

/** The beginning of a TLS record that never ends. */
export const TLS_RECORD = Buffer.from([0x16, 3, 3, 0x40, 0, 0]);
