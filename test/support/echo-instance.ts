// echo-instance.ts -- an HTTP instance in the test's own process: says who it is and what it was asked; upgraded, it echoes

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** What an instance says of a request. */
export interface Echo {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class EchoInstance {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  /** Status of its replies. */
  status = 200;
  /** Requests so far. */
  requests = 0;
  /** While it is there replies wait for it. */
  hold: Promise<void> | undefined;
  readonly #kill: () => Promise<void>;

  private constructor(id: string, address: string, port: number, kill: () => Promise<void>) {
    this.id = id;
    this.address = address;
    this.port = port;
    this.#kill = kill;
  }

  /** Listens until it is killed, or until the test ends. */
  static async start(t: Pick<TestContext, 'after'>, id: string, address = '127.0.0.1'): Promise<EchoInstance> {
    const sockets = new Set<Socket>();
    let self: EchoInstance | undefined;
    const server = createServer((request, response) => void self?.answer(request, response));
    server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.pipe(socket);
    });
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
    const kill = async (): Promise<void> => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    };
    t.after(kill);
    self = new EchoInstance(id, address, (server.address() as AddressInfo).port, kill);
    return self;
  }

  /** To be registered; without checks it is healthy at once. */
  registration(more: object = {}): object {
    return { address: this.address, port: this.port, ...more };
  }

  /** Gone, with all of its connections. */
  async kill(): Promise<void> {
    await this.#kill();
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++;
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk as string;
    await this.hold;
    const { method, url: path, headers } = request;
    response.writeHead(this.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ id: this.id, method, path, headers, body }));
  }
}
