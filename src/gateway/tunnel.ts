// tunnel.ts -- two sockets joined: what one says the other hears, at the pace of the slower, until both have said all

import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { IdleWatch } from './idle-watch.ts';

/** Octets that went through. */
export interface TunnelEnd {
  /** From the client. */
  readonly received: number;
  /** To the client. */
  readonly sent: number;
}

export class Tunnel {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #watch: IdleWatch;
  readonly #onEnd: (end: TunnelEnd) => void;
  #received = 0;
  #sent = 0;
  #open = 2;

  /** `onEnd` is called once, when both sockets are closed. */
  constructor(client: Socket, upstream: Socket, idleTimeoutMs: number, clock: Clock, onEnd: (end: TunnelEnd) => void) {
    this.#client = client;
    this.#upstream = upstream;
    this.#onEnd = onEnd;
    this.#watch = new IdleWatch(clock, idleTimeoutMs, () => this.destroy());
    this.#carry(client, upstream, (octets) => {
      this.#received += octets;
    });
    this.#carry(upstream, client, (octets) => {
      this.#sent += octets;
    });
  }

  destroy(): void {
    this.#client.destroy();
    this.#upstream.destroy();
  }

  #carry(from: Socket, to: Socket, count: (octets: number) => void): void {
    from.setTimeout(0);
    from.setNoDelay(true);
    from.on('data', (chunk: Buffer) => {
      count(chunk.length);
      this.#watch.touch();
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => {
      this.#watch.touch();
      from.resume();
    });
    // Each direction ends for itself: the other end may still have something to say.
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', (hadError: boolean) => this.#closed(from, to, hadError));
    from.resume();
    // One that is gone already says so no more.
    if (from.destroyed) this.#closed(from, to, true);
  }

  #closed(from: Socket, to: Socket, hadError: boolean): void {
    // One that closed before everything was said leaves nobody to talk to.
    if (hadError || !from.readableEnded || !to.readableEnded) to.destroy();
    if (--this.#open > 0) return;
    this.#watch.cancel();
    this.#onEnd({ received: this.#received, sent: this.#sent });
  }
}
