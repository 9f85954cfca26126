// forward-asking.ts -- one question to several upstreams: the first good reply, or why there is none in time
//
// An upstream that says nothing for its share of the time is not given up: the next is asked beside it, and whichever
// replies first wins.

import type { Clock, Timer } from '../base/clock.ts';
import { EXTENDED_ERROR, RCODE } from '../dns/codes.ts';
import type { Name } from '../dns/name.ts';
import type { ExtendedError } from '../nameserver/answer.ts';
import { type RelayedMessage, readRelayed } from './relayed-message.ts';
import type { Upstream, UpstreamOutcome } from './upstream.ts';
import type { ForwardedQuestion } from './upstream-query.ts';

export type AskingOutcome =
  | { readonly kind: 'reply'; readonly relayed: RelayedMessage }
  /** `relayed`: what an upstream said that could not answer it either. */
  | { readonly kind: 'failed'; readonly error: ExtendedError; readonly relayed?: RelayedMessage };

export interface AskingOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Names of which no upstream is believed anything. */
  isOwn(name: Name): boolean;
}

/** Queries for one question, over all upstreams: each more gives a forger one more id to guess. */
const MAX_QUERIES = 4;
const MIN_QUERIES = 3;

interface Asked {
  readonly takeBack: (wasLost: boolean) => void;
  readonly sinceMs: number;
}

export class Asking {
  readonly #question: ForwardedQuestion;
  readonly #upstreams: readonly Upstream[];
  readonly #options: AskingOptions;
  readonly #done: (outcome: AskingOutcome) => void;
  readonly #asked = new Set<Asked>();
  /** Those that gave an answer that is final for them. */
  readonly #spent = new Set<Upstream>();
  readonly #deadline: Timer;
  readonly #maxQueries: number;
  #next: Timer | undefined;
  #queries = 0;
  #failed: RelayedMessage | undefined;
  #reason: string | undefined;
  /** Something came that was no reply. It may be forged, so a real one is waited for all the same. */
  #sawWrong = false;
  #isOver = false;

  /** `upstreams` in the order in which they are to be asked; `done` is called once, unless it is closed before. */
  constructor(
    question: ForwardedQuestion,
    upstreams: readonly Upstream[],
    options: AskingOptions,
    done: (outcome: AskingOutcome) => void,
  ) {
    this.#question = question;
    this.#upstreams = upstreams;
    this.#options = options;
    this.#done = done;
    this.#maxQueries = Math.min(MAX_QUERIES, Math.max(MIN_QUERIES, upstreams.length * 2));
    this.#deadline = options.clock.after(options.timeoutMs, () => this.#fail());
    this.#askNext();
  }

  /** Take everything back; nothing is told any more. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline.cancel();
    this.#next?.cancel();
    const nowMs = this.#options.clock.monotonicMs();
    for (const { takeBack, sinceMs } of this.#asked) takeBack(nowMs - sinceMs >= this.#shareMs);
    this.#asked.clear();
  }

  get #shareMs(): number {
    return this.#options.timeoutMs / this.#maxQueries;
  }

  #askNext(): void {
    if (this.#isOver) return;
    this.#next?.cancel();
    const upstream = this.#pick();
    if (upstream === undefined) {
      if (this.#asked.size === 0) this.#fail();
      return;
    }
    this.#queries++;
    this.#next = this.#options.clock.after(this.#shareMs, () => this.#askNext());
    const asked: Asked = {
      takeBack: upstream.ask(
        this.#question,
        (outcome) => {
          this.#asked.delete(asked);
          this.#take(upstream, outcome);
        },
        () => {
          this.#sawWrong = true;
        },
      ),
      sinceMs: this.#options.clock.monotonicMs(),
    };
    this.#asked.add(asked);
  }

  #pick(): Upstream | undefined {
    if (this.#queries >= this.#maxQueries) return undefined;
    const open = this.#upstreams.filter((each) => !this.#spent.has(each) && each.hasRoom);
    return open[this.#queries % open.length];
  }

  #take(upstream: Upstream, outcome: UpstreamOutcome): void {
    if (this.#isOver) return;
    const relayed = outcome.kind === 'reply' ? readRelayed(outcome.message, this.#options.isOwn) : undefined;
    if (relayed !== undefined && ANSWERS.has(relayed.rcode)) {
      this.close();
      this.#done({ kind: 'reply', relayed });
      return;
    }
    this.#spent.add(upstream);
    if (relayed?.rcode === RCODE.SERVFAIL) this.#failed = relayed;
    else this.#reason ??= outcome.kind === 'failed' ? outcome.reason : reasonOf(relayed);
    this.#askNext();
  }

  #fail(): void {
    if (this.#isOver) return;
    const relayed = this.#failed;
    const reason = this.#reason ?? (this.#sawWrong ? MALFORMED : undefined);
    this.close();
    this.#done({ kind: 'failed', error: failureOf(reason), ...(relayed === undefined ? {} : { relayed }) });
  }
}

/** What the whole world would say too. Everything else may be one upstream's own trouble. */
const ANSWERS: ReadonlySet<number> = new Set([RCODE.NOERROR, RCODE.NXDOMAIN, RCODE.YXDOMAIN]);

const MALFORMED = 'malformed reply';

function reasonOf(relayed: RelayedMessage | undefined): string {
  return relayed === undefined ? MALFORMED : `rcode ${relayed.rcode}`;
}

/** Nobody said anything (22), or what was said or done was no answer (23): RFC 8914 sections 4.23 and 4.24. */
function failureOf(reason: string | undefined): ExtendedError {
  return reason === undefined
    ? { code: EXTENDED_ERROR.NO_REACHABLE_AUTHORITY, text: 'no upstream answered in time' }
    : { code: EXTENDED_ERROR.NETWORK_ERROR, text: `no upstream could answer (${reason})` };
}
