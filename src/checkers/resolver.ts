// resolver.ts -- from a check's host to the addresses a probe may connect to
//
// A name is resolved once per connection and what comes back is what is connected to; asking again at connect time
// would let the name point elsewhere after it was judged (DNS rebinding).

import { lookup } from 'node:dns/promises';
import { formatEndpoint, type IpAddress, isUnspecified, parseIp } from '../base/ip.ts';
import { isProbeAllowed, type ProbeNetworks } from '../health/probe-address.ts';
import { ProbeRefusal } from './probe-runs.ts';

export interface ResolverOptions {
  readonly networks: ProbeNetworks;
  /** Is this one of the server's own listeners? Addresses come as canonical text. */
  readonly isOwnListener: (address: string, port: number) => boolean;
}

/** What every checker that connects is told. */
export interface ProbeOptions extends ResolverOptions {
  /** May checks from the API run programs? Then they may also say how well they like the files of this machine. */
  readonly allowExec: boolean;
}

/** Finds the addresses of a host and refuses those that probes must not reach. */
export class Resolver {
  readonly #options: ResolverOptions;
  /** Lookups under way by name: they cannot be cancelled, so a slow resolver must not make them pile up. */
  readonly #lookups = new Map<string, Promise<readonly string[]>>();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /**
   * The addresses of `host` (IP text or a name) that may be probed at `port`, at least one. Throws a ProbeRefusal when
   * none may be, or when one of them is a listener of our own; an Error when the name has no address.
   */
  async permitted(host: string, port: number): Promise<readonly IpAddress[]> {
    const literal = parseIp(host);
    const addresses = literal === undefined ? await this.#resolve(host) : [literal];
    for (const address of addresses) {
      if (this.#isOwn(address, port)) {
        const endpoint = formatEndpoint({ address: address.text, port });
        throw new ProbeRefusal(`${endpoint} is one of the server's own listeners`);
      }
    }
    const permitted = addresses.filter((address) => isProbeAllowed(address, this.#options.networks));
    if (permitted.length === 0) {
      const found = addresses.map((address) => address.text).join(', ');
      throw new ProbeRefusal(
        `${found === host ? host : `${host} (${found})`} is in a network that checks may not reach`,
      );
    }
    return permitted;
  }

  async #resolve(host: string): Promise<readonly IpAddress[]> {
    let pending = this.#lookups.get(host);
    if (pending === undefined) {
      pending = lookup(host, { all: true })
        .then((found) => found.map((each) => each.address))
        .finally(() => this.#lookups.delete(host));
      this.#lookups.set(host, pending);
    }
    // What strict parsing does not take, such as an address with a zone id, cannot be judged and is left out.
    const addresses = (await pending).map(parseIp).filter((address) => address !== undefined);
    if (addresses.length === 0) throw new ProbeRefusal(`${host} has no address that a check can use`);
    return addresses;
  }

  /** The unspecified addresses connect to this machine, so they stand for its loopback addresses as well. */
  #isOwn(address: IpAddress, port: number): boolean {
    const reached = isUnspecified(address) ? [address.text, '127.0.0.1', '::1'] : [address.text];
    return reached.some((each) => this.#options.isOwnListener(each, port));
  }
}
