// dns-listener.ts -- UDP and TCP on one endpoint, opened and closed together

import type { Endpoint } from '../base/ip.ts';
import { TcpListener, type TcpOptions } from './tcp.ts';
import { UdpListener } from './udp.ts';
import type { OpenUdp, UdpSide } from './udp-side.ts';

/** Tries to find a port that is free for both transports when the system may choose it. */
const PORT_ATTEMPTS = 8;

export interface DnsListenerOptions extends Omit<TcpOptions, 'tls'> {
  /** Of node:dgram: a datagram was dropped because it came from port 0. */
  readonly onPortZero?: () => void;
  /** Without it, UDP is node:dgram's. */
  readonly openUdp?: OpenUdp;
}

export class DnsListener {
  readonly #udp: UdpSide;
  readonly #tcp: TcpListener;

  private constructor(udp: UdpSide, tcp: TcpListener) {
    this.#udp = udp;
    this.#tcp = tcp;
  }

  /** Open both, on the same port. Rejects with the system's error. */
  static async open(endpoint: Endpoint, options: DnsListenerOptions): Promise<DnsListener> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await DnsListener.#openBoth(endpoint, options);
      } catch (error) {
        const mayTryAgain = endpoint.port === 0 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
        if (!mayTryAgain || attempt === PORT_ATTEMPTS) throw error;
      }
    }
  }

  static async #openBoth(endpoint: Endpoint, options: DnsListenerOptions): Promise<DnsListener> {
    const udp = await (options.openUdp?.(endpoint) ?? UdpListener.open(endpoint, options));
    try {
      return new DnsListener(udp, await TcpListener.open(udp.endpoint, options));
    } catch (error) {
      await udp.close();
      throw error;
    }
  }

  get endpoint(): Endpoint {
    return this.#udp.endpoint;
  }

  /** Take up addresses that the machine got since, behind a wildcard. */
  async refresh(): Promise<void> {
    await this.#udp.refresh();
  }

  async close(): Promise<void> {
    await Promise.all([this.#udp.close(), this.#tcp.close()]);
  }
}
