// gateway-source.ts -- the registry as the gateway sees it: services, and whatever changes about them

import type { ServiceSource } from '../gateway/service-source.ts';
import type { AnsweringService } from '../registry/member.ts';
import type { Registry } from '../registry/registry.ts';

export class GatewaySource implements ServiceSource {
  readonly #registry: Registry;
  readonly #listeners = new Set<(service: string) => void>();

  constructor(registry: Registry) {
    this.#registry = registry;
    registry.onChange(({ service }) => this.tell(service));
  }

  service(name: string): AnsweringService | undefined {
    return this.#registry.service(name);
  }

  onChange(listener: (service: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Something of a service changed that the registry tells nobody: readings, or that a check begins to fail. */
  tell(service: string): void {
    for (const listener of this.#listeners) listener(service);
  }
}
