// gateway.ts -- the gateway of a server: its modules are loaded when one is configured first, and kept from then on

import type { Endpoint } from '../base/ip.ts';
import type { Config } from '../config/config.ts';
import type { Registry } from '../registry/registry.ts';
import type { Tally } from '../routing/rollout.ts';
import type { Prepared } from './prepared.ts';
import type { RunningGateway, RunningGatewayOptions } from './running-gateway.ts';

export interface GatewayHostOptions extends Omit<RunningGatewayOptions, 'registry'> {
  /** There when something is prepared. */
  readonly registry: () => Registry | undefined;
}

/** A gateway that may be there. What is configured away again only listens nowhere. */
export class GatewayHost {
  readonly #options: GatewayHostOptions;
  #running: RunningGateway | undefined;

  constructor(options: GatewayHostOptions) {
    this.#options = options;
  }

  /** Where it listens. */
  get addresses(): readonly Endpoint[] {
    return this.#running?.addresses ?? [];
  }

  /**
   * Open what a configuration needs. Rejects, with nothing changed, with CodedError `listen_failed`, or `invalid_config`
   * when a file of TLS cannot be used. `take` loses no request: those at endpoints that are left out are answered.
   */
  async prepare(config: Config): Promise<Prepared> {
    const registry = this.#options.registry();
    if (registry === undefined || (this.#running === undefined && config.gateway.listen.length === 0)) return NOTHING;
    // Only here: who has no gateway need not load what it is made of.
    const { RunningGateway } = await import('./running-gateway.ts');
    this.#running ??= new RunningGateway({ ...this.#options, registry });
    return await this.#running.prepare(config);
  }

  /** Something of a service changed that the registry tells nobody: readings, or that a check begins to fail. */
  tell(service: string): void {
    this.#running?.tell(service);
  }

  /** Requests that were sent to an instance; undefined: none. */
  tallyOf(id: string): Tally | undefined {
    return this.#running?.tallyOf(id);
  }

  /** What `/v1/status` shows of it; null: there is none. */
  status(): object | null {
    return this.#running?.status() ?? null;
  }

  /** Accept nothing more, finish what is under way, for a few seconds at most. */
  async close(): Promise<void> {
    await this.#running?.close();
  }
}

const NOTHING: Prepared = { take: async () => {}, abandon: async () => {} };
