// listeners.ts -- the DNS listeners of a running server: opened, changed by a reload, closed

import { CodedError, errorMessage } from '../base/errors.ts';
import { type Endpoint, formatEndpoint } from '../base/ip.ts';
import { DnsListener, type DnsListenerOptions } from '../net/dns-listener.ts';
import { TcpListener } from '../net/tcp.ts';
import { TlsGreeter, type TlsIdentity } from '../net/tls-greeter.ts';
import type { Prepared } from './prepared.ts';

/** How often wildcard listeners look for addresses the machine got since. */
const REFRESH_MS = 10_000;

/** Everything to listen on. */
export interface WantedListeners {
  /** UDP and TCP. */
  readonly plain: readonly Endpoint[];
  /** DNS over TLS. */
  readonly tls: { readonly listen: readonly Endpoint[]; readonly identity: TlsIdentity } | undefined;
}

interface Listening {
  readonly kind: 'plain' | 'tls';
  readonly listener: Pick<DnsListener, 'endpoint' | 'refresh' | 'close'>;
}

/** Listeners by what they were configured with. */
export class DnsListeners {
  readonly #options: DnsListenerOptions;
  #open = new Map<string, Listening>();
  /** Made when it is first needed: it lives on, so that sessions can be resumed whatever becomes of listeners. */
  #greeter: TlsGreeter | undefined;
  #closed = false;

  constructor(options: DnsListenerOptions) {
    this.#options = options;
    this.#armRefresh();
  }

  /** The endpoints really bound for UDP and TCP. */
  get endpoints(): Endpoint[] {
    return this.#endpointsOf('plain');
  }

  /** Those of DNS over TLS. */
  get tlsEndpoints(): Endpoint[] {
    return this.#endpointsOf('tls');
  }

  /**
   * Open what is new of these endpoints; those open already stay as they are, with their connections. Rejects, with
   * nothing changed, when some cannot be opened, and names all of them.
   */
  async prepare({ plain, tls }: WantedListeners): Promise<Prepared> {
    const next = new Map<string, Listening>();
    const opened: Listening[] = [];
    const failures: string[] = [];
    if (tls !== undefined) this.#greeter ??= new TlsGreeter(this.#options.clock, tls.identity);
    const wanted = [
      ...plain.map((endpoint) => ({ kind: 'plain', endpoint }) as const),
      ...(tls?.listen ?? []).map((endpoint) => ({ kind: 'tls', endpoint }) as const),
    ];
    for (const { kind, endpoint } of wanted) {
      const key = `${kind} ${formatEndpoint(endpoint)}`;
      const known = this.#open.get(key) ?? next.get(key);
      try {
        const listening = known ?? { kind, listener: await this.#openOne(kind, endpoint) };
        if (known === undefined) opened.push(listening);
        next.set(key, listening);
      } catch (error) {
        failures.push(errorMessage(error));
      }
    }
    const abandon = async (): Promise<void> => {
      await Promise.all(opened.map(({ listener }) => listener.close()));
    };
    if (failures.length > 0) {
      await abandon();
      throw new CodedError('listen_failed', failures.join('; '));
    }
    return {
      take: async () => {
        if (tls !== undefined) this.#greeter?.setIdentity(tls.identity);
        const before = this.#open;
        this.#open = next;
        await Promise.all([...before].filter(([key]) => !next.has(key)).map(([, { listener }]) => listener.close()));
      },
      abandon,
    };
  }

  #endpointsOf(wanted: Listening['kind']): Endpoint[] {
    return [...this.#open.values()].filter(({ kind }) => kind === wanted).map(({ listener }) => listener.endpoint);
  }

  async #openOne(kind: Listening['kind'], endpoint: Endpoint): Promise<Listening['listener']> {
    try {
      if (kind === 'plain') return await DnsListener.open(endpoint, this.#options);
      return await TcpListener.open(endpoint, { ...this.#options, tls: this.#greeter });
    } catch (error) {
      const { port } = endpoint;
      const own = [...this.endpoints, ...this.tlsEndpoints].find((each) => port !== 0 && each.port === port);
      const hint = own === undefined ? '' : ` (this server itself listens on ${formatEndpoint(own)}; restart it)`;
      const section = kind === 'plain' ? 'dns' : 'dns.tls';
      throw new Error(`${section}: cannot listen on ${formatEndpoint(endpoint)}: ${errorMessage(error)}${hint}`);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const none = await this.prepare({ plain: [], tls: undefined });
    await none.take();
    this.#greeter?.close();
  }

  #armRefresh(): void {
    this.#options.clock.after(REFRESH_MS, () => {
      if (this.#closed) return;
      for (const { listener } of this.#open.values()) void listener.refresh();
      this.#armRefresh();
    });
  }
}
