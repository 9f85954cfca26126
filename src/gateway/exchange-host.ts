// exchange-host.ts -- what a gateway gives to all of its exchanges, and does for many of them at once

import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { GatewaySettings } from './gateway-settings.ts';
import type { RequestHead } from './request-head.ts';
import type { RouteRun } from './route-run.ts';

export interface WithHead {
  flushHead(): void;
}

type ExchangeEnd = (exchange: WithHead, record: ExchangeRecord | undefined) => void;

export class ExchangeHost {
  readonly clock: Clock;
  /** In `Via`. */
  readonly pseudonym = `rollcall-${randomBytes(4).toString('hex')}`;
  readonly wantsRecords: boolean;
  /** Of every exchange, once. */
  readonly ended: ExchangeEnd;
  serverTiming: GatewaySettings['serverTiming'] = 'asked';
  /** Clients are told that their connection ends. */
  isClosing = false;
  #toFlush: WithHead[] = [];
  readonly #toWake = new Set<RouteRun>();

  constructor(clock: Clock, wantsRecords: boolean, ended: ExchangeEnd) {
    this.clock = clock;
    this.wantsRecords = wantsRecords;
    this.ended = ended;
  }

  /** Is a client told what took how long? */
  isTimed({ wantsTiming }: Pick<RequestHead, 'wantsTiming'>): boolean {
    return this.serverTiming === 'always' || (this.serverTiming === 'asked' && wantsTiming);
  }

  /** Send the head without waiting for the body, unless there is some at the end of this turn. */
  flushSoon(exchange: WithHead): void {
    if (this.#toFlush.push(exchange) === 1) queueMicrotask(this.#flush);
  }

  /** There may be room at an instance for those who wait. */
  wakeSoon(run: RouteRun): void {
    if (this.#toWake.size === 0) queueMicrotask(this.#wake);
    this.#toWake.add(run);
  }

  readonly #flush = (): void => {
    const exchanges = this.#toFlush;
    this.#toFlush = [];
    for (const exchange of exchanges) exchange.flushHead();
  };

  readonly #wake = (): void => {
    const runs = [...this.#toWake];
    this.#toWake.clear();
    for (const run of runs) run.queue.wake();
  };
}
