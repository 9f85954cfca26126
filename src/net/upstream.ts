// upstream.ts -- one resolver that questions are forwarded to: by which transport, how fast, and whether it is there

import type { Clock, Timer } from '../base/clock.ts';
import { CLASS, RCODE, TYPE } from '../dns/codes.ts';
import { FLAG } from '../dns/header.ts';
import { ROOT } from '../dns/name.ts';
import { formatUpstream, type UpstreamAddress } from './upstream-address.ts';
import type { ForwardedQuestion } from './upstream-query.ts';
import { type StreamOutcome, UpstreamStream } from './upstream-stream.ts';
import { askByUdp, type Cancel, type UdpOutcome } from './upstream-udp.ts';

/** What became of a question. */
export type UpstreamOutcome =
  | { readonly kind: 'reply'; readonly message: Uint8Array }
  | { readonly kind: 'failed'; readonly reason: string };

/** How a query ended; the `result` label of the metrics. */
export type UpstreamResult = 'ok' | 'servfail' | 'refused' | 'other' | 'lost' | 'error';

export interface UpstreamOptions {
  readonly address: UpstreamAddress;
  readonly clock: Clock;
  readonly authorities?: string | undefined;
  /** The marks of all queries under way (upstream-query.ts). */
  readonly marks: Set<string>;
  /** A wrong message came: a wrong id or question, or letters of another case. */
  onWrong(): void;
  /** Told when it stops answering, and when it is back. */
  onHealth(upstream: Upstream, isUp: boolean): void;
}

/** Questions under way at once; fewer while it does not answer, so that a dead one costs next to nothing. */
const MAX_UNDER_WAY = 512;
const MAX_UNDER_WAY_DOWN = 4;
/** Unanswered queries in a row after which it counts as down. */
const DOWN_AFTER = 4;
const PROBE_DELAY_MS = 1000;
const MAX_PROBE_DELAY_MS = 15_000;
const PROBE_TIMEOUT_MS = 2000;
/** Before anything is known. */
const FIRST_RTT_MS = 50;
const MAX_RTT_MS = 5000;
const PROBE: ForwardedQuestion = {
  name: ROOT,
  type: TYPE.NS,
  class: CLASS.IN,
  dnssecOk: false,
  checkingDisabled: false,
};

export class Upstream {
  readonly name: string;
  readonly results = new Map<UpstreamResult, number>();
  readonly #options: UpstreamOptions;
  readonly #stream: UpstreamStream;
  #rttMs = FIRST_RTT_MS;
  #failures = 0;
  #isUp = true;
  #underWay = 0;
  /** It was seen over a stream, where nobody can pretend to be it, to answer in lower case whatever is asked. */
  #foldsCase = false;
  #probe: Timer | undefined;
  #probeDelayMs = PROBE_DELAY_MS;
  #isClosed = false;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.name = formatUpstream(options.address);
    this.#stream = new UpstreamStream(options);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Smoothed round-trip time. */
  get rttMs(): number {
    return this.#rttMs;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** May one more question be put to it now? */
  get hasRoom(): boolean {
    return this.#underWay < (this.#isUp ? MAX_UNDER_WAY : MAX_UNDER_WAY_DOWN);
  }

  /**
   * Ask; `done` is called once, unless the question is taken back before. Taking it back when it has had its time
   * (`wasLost`) counts against the upstream. `onWrong` is told of what came in the meantime and was no reply to it.
   */
  ask(
    question: ForwardedQuestion,
    done: (outcome: UpstreamOutcome) => void,
    onWrong: () => void = () => {},
  ): (wasLost: boolean) => void {
    const startedMs = this.#options.clock.monotonicMs();
    this.#underWay++;
    let isOver = false;
    let cancel: Cancel = () => {};
    const end = (): boolean => {
      if (isOver) return false;
      isOver = true;
      this.#underWay--;
      return true;
    };
    const finish = (outcome: UpstreamOutcome): void => {
      if (!end()) return;
      this.#note(outcome, this.#options.clock.monotonicMs() - startedMs);
      done(outcome);
    };
    const askByStream = (): void => {
      cancel = this.#stream.ask(question, (outcome) => finish(this.#ofStream(outcome)), onWrong);
    };
    if (this.#options.address.tls !== undefined) askByStream();
    else {
      const { address, marks } = this.#options;
      const noteWrong = (): void => {
        this.#options.onWrong();
        onWrong();
      };
      cancel = askByUdp({ address, marks, onWrong: noteWrong }, question, (outcome) => {
        if (isOver) return;
        const settled = this.#ofUdp(outcome);
        if (settled === undefined) askByStream();
        else finish(settled);
      });
    }
    return (wasLost) => {
      if (!end()) return;
      cancel();
      if (wasLost) this.#noteLost();
    };
  }

  /** Let go of everything; what is under way is forgotten. */
  close(): void {
    this.#isClosed = true;
    this.#probe?.cancel();
    this.#stream.close();
  }

  /** Undefined: ask again by TCP. */
  #ofUdp(outcome: UdpOutcome): UpstreamOutcome | undefined {
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'guessed') return undefined;
    if (outcome.kind === 'other case' && !this.#foldsCase) {
      this.#options.onWrong();
      return undefined;
    }
    const { message } = outcome;
    return (message[2]! & (FLAG.TC >>> 8)) !== 0 ? undefined : { kind: 'reply', message };
  }

  #ofStream(outcome: StreamOutcome): UpstreamOutcome {
    if (outcome.kind === 'failed') return outcome;
    this.#foldsCase = !outcome.keepsCase;
    return { kind: 'reply', message: outcome.message };
  }

  #note(outcome: UpstreamOutcome, tookMs: number): void {
    if (outcome.kind === 'failed') {
      this.#count('error');
      this.#noteFailure();
      return;
    }
    this.#count(RESULTS.get(outcome.message[3]! & 0xf) ?? 'other');
    this.#rttMs = Math.min(MAX_RTT_MS, this.#rttMs + (tookMs - this.#rttMs) / 8);
    this.#noteAlive();
  }

  #noteLost(): void {
    this.#count('lost');
    this.#rttMs = Math.min(MAX_RTT_MS, this.#rttMs * 1.5);
    this.#noteFailure();
  }

  #count(result: UpstreamResult): void {
    this.results.set(result, (this.results.get(result) ?? 0) + 1);
  }

  #noteAlive(): void {
    this.#failures = 0;
    this.#probeDelayMs = PROBE_DELAY_MS;
    if (this.#isUp) return;
    this.#isUp = true;
    this.#probe?.cancel();
    this.#options.onHealth(this, true);
  }

  #noteFailure(): void {
    if (++this.#failures < DOWN_AFTER || !this.#isUp) return;
    this.#isUp = false;
    this.#options.onHealth(this, false);
    this.#armProbe();
  }

  /** In the background, less and less often: clients' questions need not find out that it is back. */
  #armProbe(): void {
    if (this.#isClosed || this.#isUp) return;
    const { clock } = this.#options;
    this.#probe = clock.after(this.#probeDelayMs, () => {
      this.#probeDelayMs = Math.min(MAX_PROBE_DELAY_MS, this.#probeDelayMs * 2);
      const cancel = this.ask(PROBE, () => {
        timeout.cancel();
        this.#armProbe();
      });
      const timeout = clock.after(PROBE_TIMEOUT_MS, () => {
        cancel(true);
        this.#armProbe();
      });
    });
  }
}

const RESULTS: ReadonlyMap<number, UpstreamResult> = new Map([
  [RCODE.NOERROR, 'ok'],
  [RCODE.NXDOMAIN, 'ok'],
  [RCODE.SERVFAIL, 'servfail'],
  [RCODE.REFUSED, 'refused'],
]);
