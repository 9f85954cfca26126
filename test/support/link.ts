// link.ts -- the way to a server, relayed, on which what one side sends can be lost as if packets were

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** `to`: nothing more reaches the server; `from`: nothing it sends arrives. */
export type Direction = 'to' | 'from';

/** One who uses the link, and what it sends first tells who it is. */
type SourceOf = (first: Buffer) => string;

interface Connection {
  source: string | undefined;
  readonly client: Socket;
  readonly server: Socket;
}

/**
 * Connections stand while they are cut: what is sent waits, as TCP would send it again, and is delivered when the link
 * is mended. An end is not heard of across a cut either.
 */
export class Link {
  readonly port: number;
  readonly #close: () => Promise<void>;
  readonly #sourceOf: SourceOf;
  readonly #connections = new Set<Connection>();
  /** Source and direction. */
  readonly #cuts = new Set<string>();

  private constructor(port: number, sourceOf: SourceOf, close: () => Promise<void>) {
    this.port = port;
    this.#sourceOf = sourceOf;
    this.#close = close;
  }

  /** A link to a port of 127.0.0.1; `sourceOf` where several use it that are cut apart. */
  static async open(target: number, sourceOf: SourceOf = () => ''): Promise<Link> {
    const server = createServer((client) => link.#relay(client, connect(target, '127.0.0.1')));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const link = new Link((server.address() as AddressInfo).port, sourceOf, async () => {
      server.close();
      for (const { client, server: upstream } of link.#connections)
        for (const each of [client, upstream]) each.destroy();
      await once(server, 'close');
    });
    return link;
  }

  /** Lose what goes in these directions for one who uses the link. */
  cut(directions: readonly Direction[], source = ''): void {
    for (const direction of directions) this.#cuts.add(`${direction} ${source}`);
    for (const connection of this.#connections) this.#flow(connection);
  }

  /** Let everything through again, for everybody. */
  mend(): void {
    this.#cuts.clear();
    for (const connection of this.#connections) this.#flow(connection);
  }

  async close(): Promise<void> {
    await this.#close();
  }

  #relay(client: Socket, server: Socket): void {
    const connection: Connection = { source: undefined, client, server };
    this.#connections.add(connection);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => this.#flow(connection));
    }
    client.on('data', (chunk: Buffer) => {
      if (connection.source === undefined) {
        connection.source = this.#sourceOf(chunk);
        this.#flow(connection);
      }
      // The first piece waits in the other socket's place if it must not pass: it is put back to the front.
      if (this.#isCut(connection, 'to')) client.unshift(chunk);
      else server.write(chunk);
    });
    server.on('data', (chunk) => client.write(chunk));
    this.#flow(connection);
  }

  #isCut({ source }: Connection, direction: Direction): boolean {
    return this.#cuts.has(`${direction} ${source ?? ''}`);
  }

  /** Let each side flow, or not; hear of ends, where ends are heard of. */
  #flow(connection: Connection): void {
    const { client, server } = connection;
    for (const [direction, from, to] of [['to', client, server] as const, ['from', server, client] as const]) {
      if (this.#isCut(connection, direction)) from.pause();
      else if (from.destroyed) to.destroy();
      else from.resume();
    }
    if (client.destroyed && server.destroyed) this.#connections.delete(connection);
  }
}
