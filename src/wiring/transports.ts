// transports.ts -- the ways in which DNS questions come to the main thread, and what a reload changes of them

import type { Endpoint } from '../base/ip.ts';
import type { DnsConfig } from '../config/config.ts';
import type { Client } from '../nameserver/client.ts';
import type { Answerer, Deferred } from '../net/answerer.ts';
import { ConnectionTable } from '../net/connection-table.ts';
import type { DnsListenerOptions } from '../net/dns-listener.ts';
import { proxiedAnswers, proxiedForwards, TrustedProxies } from '../net/proxied-datagrams.ts';
import { UdpListener } from '../net/udp.ts';
import { DnsListeners } from './listeners.ts';
import type { Prepared } from './prepared.ts';
import { tlsContents } from './tls-files.ts';

export interface TransportsOptions extends Omit<DnsListenerOptions, 'table' | 'proxies'> {
  readonly dns: DnsConfig;
  /** A datagram of a trusted sender was dropped for want of a PROXY header. */
  readonly onUnproxied: () => void;
}

export class Transports {
  readonly #options: TransportsOptions;
  readonly #listeners: DnsListeners;
  readonly connections: ConnectionTable;
  #proxies: TrustedProxies;
  /** What answers node:dgram. */
  #udp: { readonly answer: Answerer; readonly deferred: Deferred | undefined };

  constructor(options: TransportsOptions) {
    const { dns, onUnproxied, ...rest } = options;
    this.#options = options;
    this.connections = new ConnectionTable(options.clock, dns.tcp);
    this.#proxies = new TrustedProxies(dns.proxyProtocolFrom);
    this.#udp = this.#udpAnswers();
    this.#listeners = new DnsListeners({
      ...rest,
      table: this.connections,
      proxies: () => this.#proxies,
      openUdp: options.openUdp ?? ((endpoint) => this.#openUdp(endpoint)),
    });
  }

  get endpoints(): Endpoint[] {
    return this.#listeners.endpoints;
  }

  get tlsEndpoints(): Endpoint[] {
    return this.#listeners.tlsEndpoints;
  }

  /**
   * Open the listeners that are configured and not open yet. Rejects, with nothing changed, with CodedError
   * `listen_failed`, or `invalid_config` when a file of TLS cannot be used.
   */
  async prepare({ listen, tls }: DnsConfig): Promise<Prepared> {
    const identity = tlsContents('dns.tls', tls);
    const secure = tls === undefined || identity === undefined ? undefined : { listen: tls.listen, identity };
    return await this.#listeners.prepare({ plain: listen, tls: secure });
  }

  /** Keep to these limits and trust these senders from now on; connections that are open stay. */
  configure(dns: DnsConfig): void {
    this.connections.limits = dns.tcp;
    this.#proxies = new TrustedProxies(dns.proxyProtocolFrom);
    this.#udp = this.#udpAnswers();
  }

  /** Have a datagram's question asked upstream: it may be behind a PROXY header yet. */
  forward(datagram: Uint8Array, client: Client, reply: (message: Uint8Array) => void): void {
    this.#udp.deferred?.forward(datagram, 'udp', client, reply);
  }

  async close(): Promise<void> {
    await this.#listeners.close();
  }

  #udpAnswers(): { readonly answer: Answerer; readonly deferred: Deferred | undefined } {
    const { answer, deferred, onUnproxied } = this.#options;
    if (this.#proxies.isEmpty) return { answer, deferred };
    return {
      answer: proxiedAnswers(answer, this.#proxies, onUnproxied),
      deferred: deferred === undefined ? undefined : proxiedForwards(deferred, this.#proxies),
    };
  }

  async #openUdp(endpoint: Endpoint): Promise<UdpListener> {
    return await UdpListener.open(endpoint, {
      ...this.#options,
      answer: (query, transport, out, client) => this.#udp.answer(query, transport, out, client),
      deferred: {
        forward: (query, _transport, client, reply) => this.forward(query, client, reply),
        // There are no transfers over UDP.
        transfer: () => [].values(),
      },
    });
  }
}
