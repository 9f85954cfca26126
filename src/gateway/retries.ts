// retries.ts -- where a request goes: which instances it has been to, and whether it may go to another one
//
// What nothing was sent of may go anywhere, whatever it is. What was sent, an instance may have acted on: it is sent
// again only where that makes no difference (RFC 9110 section 9.2.2), as often as the route says, within its budget.

import { type Attempt, isReset } from './attempt.ts';
import type { Picked, RouteRun } from './route-run.ts';
import type { StickyAsker } from './sticky.ts';

/** Methods that may be sent twice (RFC 9110 section 9.2.2), of those that are passed on. */
export const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);
/** Instances that may be tried in vain: connections that come to nothing cost neither retries nor budget. */
const MAX_UNREACHED = 5;
/** A connection that breaks so soon after it was used again had been closed by the instance. */
const STALE_MS = 1000;

export class Retries {
  readonly #run: RouteRun;
  readonly #asker: StickyAsker;
  readonly #mayRepeat: boolean;
  #tried: string[] | undefined;
  #retries = 0;
  #unreached = 0;
  #wasStale = false;

  constructor(run: RouteRun, asker: StickyAsker, method: string, hasBody: boolean) {
    this.#run = run;
    this.#asker = asker;
    this.#mayRepeat = !hasBody && IDEMPOTENT.has(method);
  }

  /** Not one of those where it has been. */
  pick(): Picked | 'full' | 'none' {
    return this.#run.pick(this.#asker, this.#tried);
  }

  /** Where to try again instead of passing on a reply; undefined: it is passed on. */
  afterReply(attempt: Attempt, status: number, nowMs: number): Picked | undefined {
    if (!this.#run.statuses.has(status) || !this.#hasRetry()) return undefined;
    this.#leave(attempt);
    const next = this.pick();
    // None is worth waiting for where there is a reply already.
    if (typeof next === 'string' || !this.#run.budget.take(nowMs)) return undefined;
    this.#retries++;
    return next;
  }

  /** Where to try again when there was no reply. `isBodyTaken`: a part of the body is gone. */
  afterFailure(attempt: Attempt, isBodyTaken: boolean, nowMs: number): Picked | 'full' | 'none' {
    this.#leave(attempt);
    if (!attempt.isSent) return isBodyTaken || ++this.#unreached > MAX_UNREACHED ? 'none' : this.pick();
    if (!this.#hasRetry()) return 'none';
    const next = this.pick();
    if (next === 'none' || !this.#run.budget.take(nowMs)) return 'none';
    this.#retries++;
    return next;
  }

  /**
   * The instance closed a connection that was idle, just when the request came: nobody's fault, and once for a request
   * it is sent to the same instance again, on a new connection.
   */
  wasStale(attempt: Attempt, error: Error, isBodyTaken: boolean, nowMs: number): boolean {
    if (!attempt.isReused || this.#wasStale || attempt.upstream.isRetired || !isReset(error)) return false;
    if (nowMs - attempt.startedMs > STALE_MS || isBodyTaken) return false;
    if (attempt.isSent && !this.#mayRepeat) return false;
    this.#wasStale = true;
    return true;
  }

  #hasRetry(): boolean {
    return this.#mayRepeat && this.#retries < this.#run.route.retries.attempts;
  }

  #leave({ instance }: Attempt): void {
    if (this.#tried === undefined) this.#tried = [instance];
    else this.#tried.push(instance);
  }
}
