// listeners.ts -- the DNS listeners of a running server: opened, changed by a reload, closed

import { CodedError, errorMessage } from '../base/errors.ts';
import { type Endpoint, formatEndpoint } from '../base/ip.ts';
import { DnsListener, type DnsListenerOptions } from '../net/dns-listener.ts';

/** How often wildcard listeners look for addresses the machine got since. */
const REFRESH_MS = 10_000;

/** Listeners by the endpoint they were configured with. */
export class DnsListeners {
  readonly #options: DnsListenerOptions;
  #open = new Map<string, DnsListener>();
  #closed = false;

  constructor(options: DnsListenerOptions) {
    this.#options = options;
    this.#armRefresh();
  }

  /** The endpoints really bound. */
  get endpoints(): Endpoint[] {
    return [...this.#open.values()].map((listener) => listener.endpoint);
  }

  /**
   * Listen on exactly these endpoints: those open already stay as they are, new ones are opened first, the others are
   * closed last. Rejects, with nothing changed, when one cannot be opened.
   */
  async set(endpoints: readonly Endpoint[]): Promise<void> {
    const next = new Map<string, DnsListener>();
    const opened: DnsListener[] = [];
    try {
      for (const endpoint of endpoints) {
        const key = formatEndpoint(endpoint);
        const known = this.#open.get(key);
        const listener = known ?? (await this.#openOne(endpoint));
        if (known === undefined) opened.push(listener);
        next.set(key, listener);
      }
    } catch (error) {
      await Promise.all(opened.map((listener) => listener.close()));
      throw error;
    }
    const before = this.#open;
    this.#open = next;
    await Promise.all([...before].filter(([key]) => !next.has(key)).map(([, listener]) => listener.close()));
  }

  async #openOne(endpoint: Endpoint): Promise<DnsListener> {
    try {
      return await DnsListener.open(endpoint, this.#options);
    } catch (error) {
      const { port } = endpoint;
      const own = this.endpoints.find((each) => port !== 0 && each.port === port);
      const hint = own === undefined ? '' : ` (this server itself listens on ${formatEndpoint(own)}; restart it)`;
      const message = `dns: cannot listen on ${formatEndpoint(endpoint)}: ${errorMessage(error)}${hint}`;
      throw new CodedError('listen_failed', message);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.set([]);
  }

  #armRefresh(): void {
    this.#options.clock.after(REFRESH_MS, () => {
      if (this.#closed) return;
      for (const listener of this.#open.values()) void listener.refresh();
      this.#armRefresh();
    });
  }
}
