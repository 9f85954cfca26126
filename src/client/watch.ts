// watch.ts -- changes as they happen, for a listener of the program's own

import type { ApiCalls } from './api-calls.ts';
import { Follower, type FollowerOptions } from './follower.ts';
import type { ServiceDocument } from './service-document.ts';

/** Changes of one service, or of all, until it is closed. */
export class Watch {
  /**
   * Resolves when the state was read and changes are told from then on. Rejects with RollcallError when the server
   * refuses (401, 403), or when it is closed before.
   */
  readonly ready: Promise<void>;
  readonly #follower: Follower;

  constructor(calls: ApiCalls, options: FollowerOptions) {
    this.#follower = new Follower(calls, options);
    this.ready = this.#follower.ready;
  }

  /** Services as they are after the last change that was told, by name. */
  get services(): ReadonlyMap<string, Pick<ServiceDocument, 'index' | 'policy'> & WatchedInstances> {
    return this.#follower.records;
  }

  /** Since when changes may have happened that were not told yet; undefined: the connection stands. */
  get staleSince(): Date | undefined {
    const { staleSinceMs } = this.#follower;
    return staleSinceMs === undefined ? undefined : new Date(staleSinceMs);
  }

  /** Stop: the listener is not called again. A call of it that is under way is not waited for. */
  async close(): Promise<void> {
    await this.#follower.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

interface WatchedInstances {
  readonly instances: ReadonlyMap<string, ServiceDocument['instances'][number]>;
}
