// peer.ts -- the server side of a probe: a listener on loopback that knows which connections are open

import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';

/** A listening server and the connections it holds. */
export class Peer {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  /** Connections accepted so far. */
  accepted = 0;

  private constructor(server: Server) {
    this.#server = server;
    // For TLS servers this is the connection below, which is there before the handshake and after it failed.
    server.on('connection', (socket: Socket) => {
      this.accepted++;
      this.#open.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => this.#open.delete(socket));
    });
  }

  /** Listen on `host`, on a free port unless one is given. http, https and tls servers will do as well as plain ones. */
  static async listen(server: Server, host = '127.0.0.1', port = 0): Promise<Peer> {
    const peer = new Peer(server);
    server.listen(port, host);
    // A test that fails before it closes its server must end all the same.
    server.unref();
    await once(server, 'listening');
    return peer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resolves when every connection accepted so far is closed; fails after a second, which is less than any idle limit. */
  async released(): Promise<void> {
    const signal = AbortSignal.timeout(1000);
    const gone = [...this.#open].map(
      (socket) =>
        new Promise<void>((resolve, reject) => {
          socket.once('close', () => resolve());
          signal.addEventListener('abort', () => reject(new Error('a connection is still open')));
        }),
    );
    await Promise.all(gone);
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }
}
