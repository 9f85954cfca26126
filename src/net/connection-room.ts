// connection-room.ts -- how many HTTP connections there may be, in all and from one address

import type { Socket } from 'node:net';
import { isLoopback, parseIp } from '../base/ip.ts';
import type { HttpLimits } from './http-limits.ts';

export class ConnectionRoom {
  readonly #limits: HttpLimits;
  readonly #perSource = new Map<string, number>();
  #connections = 0;

  constructor(limits: HttpLimits) {
    this.#limits = limits;
  }

  /** Count a connection until it closes. False, having hung up, when there is no room for it. */
  admit(socket: Socket): boolean {
    const { maxConnections, maxConnectionsPerSource } = this.#limits;
    const source = socket.remoteAddress ?? '';
    const ip = parseIp(source);
    const count = (this.#perSource.get(source) ?? 0) + 1;
    const isLocal = ip !== undefined && isLoopback(ip);
    if (this.#connections >= maxConnections || (!isLocal && count > maxConnectionsPerSource)) {
      socket.destroy();
      return false;
    }
    this.#connections++;
    this.#perSource.set(source, count);
    socket.once('close', () => {
      this.#connections--;
      const left = (this.#perSource.get(source) ?? 1) - 1;
      if (left > 0) this.#perSource.set(source, left);
      else this.#perSource.delete(source);
    });
    return true;
  }
}
