// reply-line.ts -- replies to pipelined requests, which wait for their turn on the connection

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Response } from './refusal.ts';

/** Of connections that have any. */
const LINES = new WeakMap<Socket, Set<ServerResponse>>();

/** Does it wait for the replies to earlier requests? */
export function isInLine(response: Response): response is ServerResponse {
  return !('stream' in response) && response.socket === null && !response.destroyed && !response.writableFinished;
}

/**
 * Have a reply that waits for its turn emit `close` when the connection ends before that. Node says so to the one whose
 * turn it is, and the others would be waited for for ever.
 */
export function closeWithConnection(response: ServerResponse, connection: Socket): void {
  const line = LINES.get(connection) ?? lineOf(connection);
  line.add(response);
  response.once('close', () => line.delete(response));
}

/** One listener, however many replies wait. */
function lineOf(connection: Socket): Set<ServerResponse> {
  const line = new Set<ServerResponse>();
  LINES.set(connection, line);
  connection.once('close', () => {
    for (const response of line) {
      if (!isInLine(response)) continue;
      response.destroy();
      response.emit('close');
    }
  });
  return line;
}
