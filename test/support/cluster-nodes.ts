// cluster-nodes.ts -- built servers as nodes of one cluster over several members of etcd, and what is equal on all of them

import { type BuiltServer, type ConfigSections, startBuiltServer } from './built-server.ts';
import { EtcdCluster } from './etcd-cluster.ts';

interface Scope {
  after(cleanup: () => unknown): void;
}

export interface ClusterNodesOptions {
  readonly count?: number;
  /** Sections of every node's configuration; `store` is made here. */
  readonly config?: ConfigSections;
  /** In front of the commands of some nodes. */
  readonly prefixes?: Readonly<Record<string, readonly string[]>>;
}

/** Soon enough for a run of minutes, late enough not to be in the way of the machine. */
const HEALTH = { interval: '1s', timeout: '500ms', rise: 1, fall: 2, jitter: 0.1 };

const MAX_SERVICES = 1000;

export class ClusterNodes {
  readonly etcd: EtcdCluster;
  readonly #scope: Scope;
  readonly #options: ClusterNodesOptions;
  readonly #servers = new Map<string, BuiltServer>();

  private constructor(scope: Scope, etcd: EtcdCluster, options: ClusterNodesOptions) {
    this.#scope = scope;
    this.etcd = etcd;
    this.#options = options;
  }

  /** Three members of etcd and so many nodes (`node1`, ...), each with links to etcd of its own; all know of each other. */
  static async start(scope: Scope, options: ClusterNodesOptions = {}): Promise<ClusterNodes> {
    const nodes = new ClusterNodes(scope, await EtcdCluster.start(scope), options);
    for (let i = 1; i <= (options.count ?? 3); i++) await nodes.#add(`node${i}`);
    await nodes.untilWhole();
    return nodes;
  }

  get names(): readonly string[] {
    return [...this.#servers.keys()];
  }

  get all(): readonly BuiltServer[] {
    return [...this.#servers.values()];
  }

  of(name: string): BuiltServer {
    const server = this.#servers.get(name);
    if (server === undefined) throw new Error(`no node ${name}`);
    return server;
  }

  /** Start one again in its folder, after it ended; its ports are others. */
  async startAgain(name: string): Promise<BuiltServer> {
    const prefix = this.#options.prefixes?.[name];
    const server = await startBuiltServer(this.#scope, {
      folder: this.of(name).folder,
      ...(prefix === undefined ? {} : { prefix }),
    });
    this.#servers.set(name, server);
    return server;
  }

  /** Wait until each of these nodes counts all of them as members. */
  async untilWhole(names: readonly string[] = this.names, timeoutMs = 30_000): Promise<void> {
    const wanted = [...names].sort().join(' ');
    await untilSo(`every node counts ${wanted}`, timeoutMs, async () => {
      const seen = await Promise.all(names.map((name) => this.#membersAt(name)));
      return seen.every((each) => each === wanted) || seen;
    });
  }

  /** Wait until nodes tell the same of all instances; milliseconds since `sinceMs` (performance.now()). */
  async untilEqual(sinceMs: number, names: readonly string[] = this.names, timeoutMs = 60_000): Promise<number> {
    await untilSo('the nodes are equal', timeoutMs, async () => {
      const states = await Promise.all(names.map((name) => this.stateAt(name)));
      return states.every((each) => each === states[0]) || states;
    });
    return performance.now() - sinceMs;
  }

  /** All instances a node knows, one a line: service, id, address, port, status. */
  async stateAt(name: string): Promise<string> {
    const server = this.of(name);
    const { body } = await server.api('GET', `/v1/services?limit=${MAX_SERVICES}`);
    const lines: string[] = [];
    for (const service of body.services as { name: string }[]) {
      const reply = await server.api('GET', `/v1/services/${service.name}`);
      // Gone in between.
      if (reply.status === 404) continue;
      for (const { id, address, port, status } of reply.body.instances) {
        lines.push([service.name, id, address, port, status].join(' '));
      }
    }
    return lines.sort().join('\n');
  }

  async #add(name: string): Promise<void> {
    const { config = {}, prefixes = {} } = this.#options;
    const prefix = prefixes[name];
    const store = { kind: 'etcd', endpoints: await this.etcd.endpointsFor(name), node: name };
    const server = await startBuiltServer(this.#scope, {
      config: { health: HEALTH, ...config, dns: { workers: 1, ...(config.dns as object) }, store },
      ...(prefix === undefined ? {} : { prefix }),
    });
    this.#servers.set(name, server);
  }

  async #membersAt(name: string): Promise<string> {
    const { body } = await this.of(name).api('GET', '/v1/cluster');
    return (body.members as { name: string }[])
      .map((each) => each.name)
      .sort()
      .join(' ');
  }
}

/** Like `until`, and tells what was seen instead. */
async function untilSo(what: string, timeoutMs: number, look: () => Promise<unknown>): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look().catch((error: unknown) => String(error));
    if (seen === true) return;
    if (performance.now() > deadlineMs) throw new Error(`not in time: ${what}; seen: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
