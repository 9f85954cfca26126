// shared-reads.ts -- accepted sockets that are all read into the same few octets
//
// Node reads up to 64 KiB from a socket at once, each time into memory of its own, and once more as much while a socket
// is paused: a thousand clients that flood us would make us hold 128 MiB. A client's socket can be given a buffer to
// read into (`onread`), an accepted one cannot, so its handle is moved to a Socket that has one. Where Node should no
// longer allow that, the accepted socket is used as it is.

import { Socket } from 'node:net';

/** Whoever reads looks at all that came before the next read, so one buffer will do for all. */
const BUFFER = Buffer.allocUnsafeSlow(2048);

interface WithHandle {
  _handle?: object | null;
}

/**
 * Read from a paused, accepted socket. `receive` gets octets that are good during the call only, and says whether to go
 * on reading; `resume` of the socket goes on later. Returns the socket to use from now on.
 */
export function readShared(accepted: Socket, receive: (octets: Uint8Array) => boolean): Socket {
  const handle = (accepted as WithHandle)._handle;
  if (typeof handle !== 'object' || handle === null || accepted.readableLength > 0)
    return readPlainly(accepted, receive);
  (accepted as WithHandle)._handle = null;
  accepted.destroy();
  const onread = {
    buffer: BUFFER,
    callback: (length: number): boolean => {
      if (!receive(BUFFER.subarray(0, length))) socket.pause();
      return true;
    },
  };
  const options = { handle, allowHalfOpen: true, onread };
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  return socket;
}

/** The same for a socket that reads in its own way: TLS, and one of which something was read already. */
export function readPlainly(socket: Socket, receive: (octets: Uint8Array) => boolean): Socket {
  socket.on('data', (chunk) => {
    if (!receive(chunk as Buffer)) socket.pause();
  });
  return socket;
}
