// proxied-stream.ts -- takes the PROXY header off the beginning of a connection

import type { Socket } from 'node:net';
import { type ProxyHeader, readProxyHeader } from './proxy-header.ts';

/**
 * Read the header from a paused socket. `done` gets it, with the socket as it was accepted but for the header; or
 * undefined when there is none in order, or the connection ends before.
 */
export function takeProxyHeader(socket: Socket, done: (header: ProxyHeader | undefined) => void): void {
  let received: Buffer = Buffer.alloc(0);
  const finish = (header: ProxyHeader | undefined): void => {
    socket.off('readable', read);
    socket.off('end', fail);
    done(header);
  };
  const fail = (): void => finish(undefined);
  const read = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    // A header is short and comes in one piece but for odd cases.
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const header = readProxyHeader(received);
    if (header === 'partial') return;
    if (header === 'malformed') {
      fail();
      return;
    }
    const rest = received.subarray(header.length);
    if (rest.length > 0) socket.unshift(rest);
    finish(header);
  };
  socket.on('readable', read);
  socket.on('end', fail);
}
