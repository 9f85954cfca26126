// cut-proxy.ts -- a TCP relay in front of a server, whose connections a test can cut, hold, or refuse

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export class CutProxy {
  readonly port: number;
  readonly url: string;
  /** Connections that came so far. */
  accepted = 0;
  #isRefusing = false;
  #isHolding = false;
  readonly #close: () => Promise<void>;
  readonly #pairs = new Set<readonly [Socket, Socket]>();

  private constructor(port: number, close: () => Promise<void>) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#close = close;
  }

  static async open(target: () => number): Promise<CutProxy> {
    const server = createServer((client) => {
      proxy.accepted++;
      if (proxy.#isRefusing) client.destroy();
      else proxy.#relay(client, connect(target(), '127.0.0.1'));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const proxy = new CutProxy((server.address() as AddressInfo).port, async () => {
      server.close();
      proxy.cut();
      await once(server, 'close');
    });
    return proxy;
  }

  /** End all connections, in the middle of whatever they carry. */
  cut(): void {
    for (const sockets of this.#pairs) for (const socket of sockets) socket.destroy();
  }

  /** Hang up on whoever comes, until told otherwise; what stands is cut. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing;
    if (isRefusing) this.cut();
  }

  /** Nothing of what the server says gets through, on any connection, until told otherwise. */
  hold(isHolding: boolean): void {
    this.#isHolding = isHolding;
    for (const [, upstream] of this.#pairs) if (isHolding) upstream.pause();
    for (const [, upstream] of this.#pairs) if (!isHolding) upstream.resume();
  }

  async close(): Promise<void> {
    await this.#close();
  }

  #relay(client: Socket, upstream: Socket): void {
    const pair = [client, upstream] as const;
    this.#pairs.add(pair);
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#pairs.delete(pair);
        for (const each of pair) each.destroy();
      });
    }
    client.on('data', (chunk) => upstream.write(chunk));
    upstream.on('data', (chunk) => client.write(chunk));
    if (this.#isHolding) upstream.pause();
  }
}
