// leftover-body.ts -- what a client still sends of a request that is answered already
//
// To close at once could take the reply away from a client that reads it only when it has sent everything. So it is
// read for a while, and thrown away.

import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Clock } from '../base/clock.ts';

const LINGER_MS = 5000;
const MAX_OCTETS = 16 * 1024 * 1024;
/** NGHTTP2_NO_ERROR: the rest of the request is not needed (RFC 9113 section 8.1). */
const NO_ERROR = 0;

/** To be called when the reply is done. Nothing happens when all of the request is there. */
export function dropLeftover(request: IncomingMessage | Http2ServerRequest, clock: Clock): void {
  if ('stream' in request) {
    if (!request.stream.destroyed && !request.complete) request.stream.close(NO_ERROR);
    return;
  }
  const { socket } = request;
  if (request.complete || socket.destroyed) return;
  let octets = 0;
  const linger = clock.after(LINGER_MS, () => socket.destroy());
  request.once('close', () => linger.cancel());
  request.once('end', () => linger.cancel());
  request.on('data', (chunk: Buffer) => {
    octets += chunk.length;
    if (octets > MAX_OCTETS) socket.destroy();
  });
  request.resume();
}
