// endpoint-source.ts -- where names below the domain lead: an instance for each request, from the API or from DNS

import type { Lease } from './lease.ts';
import { RollcallError } from './rollcall-error.ts';
import type { ServiceView } from './service-view.ts';

/** A host name that is a service: `v2.cart-service.service.local`. */
export interface ServiceHost {
  readonly service: string;
  /** Lower case. */
  readonly tags: readonly string[];
  /** The whole name, without a trailing dot. */
  readonly name: string;
}

/** Picks instances; leases are to be given back. */
export interface EndpointSource {
  /** Rejects with RollcallError `no_instance` when there is none beside those tried. */
  pick(host: ServiceHost, tried: readonly string[]): Promise<Lease>;
}

/** How long a request waits for the first reading of a service. */
const FIRST_READ_MS = 5000;

/** The service that a host name means; undefined for names that are not below any of the domains. */
export function serviceHost(hostname: string, domains: readonly string[]): ServiceHost | undefined {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  const domain = domains.find((each) => name.endsWith(`.${each}`));
  if (domain === undefined) return undefined;
  const labels = name.slice(0, -domain.length - 1).split('.');
  const service = labels.pop()!;
  return service === '' ? undefined : { service, tags: labels, name };
}

/** From a live view; services are followed from the first request on. */
export class ViewEndpoints implements EndpointSource {
  readonly #view: ServiceView;

  constructor(view: ServiceView) {
    this.#view = view;
  }

  async pick({ service, tags }: ServiceHost, tried: readonly string[]): Promise<Lease> {
    if (this.#view.isRead(service)) return this.#view.pick(service, { tags, exclude: tried });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const error = new RollcallError('timeout', `'${service}' was not read within ${FIRST_READ_MS} ms`);
      timer = setTimeout(() => reject(error), FIRST_READ_MS);
    });
    try {
      await Promise.race([this.#view.add(service), late]);
    } finally {
      clearTimeout(timer);
    }
    return this.#view.pick(service, { tags, exclude: tried });
  }
}
