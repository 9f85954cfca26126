// heartbeats.ts -- instances that say that they live, to the nodes of a cluster in turn

import type { BuiltServer } from './built-server.ts';

export class Heartbeats {
  /** Heartbeats that were refused though the instance lives: it is not known any more. */
  readonly faults: string[] = [];
  readonly #servers: readonly BuiltServer[];
  readonly #timers: NodeJS.Timeout[];
  #turn = 0;

  constructor(servers: readonly BuiltServer[], ids: readonly string[], intervalMs: number) {
    this.#servers = servers;
    this.#timers = ids.map((id) => setInterval(() => void this.#beat(id), intervalMs));
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** As a client would: a node that does not take it is left for the next. */
  async #beat(id: string): Promise<void> {
    const first = this.#turn++;
    for (let i = 0; i < this.#servers.length; i++) {
      const server = this.#servers[(first + i) % this.#servers.length]!;
      const reply = await server.api('PUT', `/v1/instances/${id}/heartbeat`).catch(() => undefined);
      if (reply?.status === 404) this.faults.push(`${id} is not known to a node: ${JSON.stringify(reply.body)}`);
      if (reply !== undefined && reply.status < 500) return;
    }
  }
}
