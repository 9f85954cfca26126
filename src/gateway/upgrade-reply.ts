// upgrade-reply.ts -- an ordinary HTTP reply on a socket that `node:http` has let go of, because the client asked for an upgrade

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** What the client still sends is read for so long after the reply: closing at once could take the reply away from it. */
const LINGER_MS = 2000;

/**
 * A reply that closes the connection at its end. Undefined: an earlier request of the same connection is still being
 * answered, so nothing can be said; the connection is then closed.
 */
export function plainReply(request: IncomingMessage, socket: Duplex): ServerResponse | undefined {
  const { _httpMessage: earlier } = socket as { _httpMessage?: unknown };
  if (socket.destroyed || (earlier !== undefined && earlier !== null)) {
    socket.destroy();
    return undefined;
  }
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as Socket);
  // What `node:http` listens for on its own sockets.
  socket.on('drain', () => {
    if (!response.writableEnded) response.emit('drain');
  });
  response.once('finish', () => {
    response.detachSocket(socket as Socket);
    socket.end();
    socket.resume();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  });
  return response;
}
