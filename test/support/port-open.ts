// port-open.ts -- does anybody listen there?

import { connect } from 'node:net';

/** Is a connection to a TCP port of 127.0.0.1 taken? */
export async function isOpen(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
