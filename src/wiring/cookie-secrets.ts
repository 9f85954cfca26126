// cookie-secrets.ts -- the secrets of server cookies where none are configured: made at random, another one every day

import { randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../base/clock.ts';
import type { DnsConfig } from '../config/config.ts';

const ROTATE_EVERY_MS = 24 * 3_600_000;
/** RFC 9018 section 4.4. */
const SECRET_LENGTH = 16;

export class CookieSecrets {
  #own: readonly string[] = [newSecret()];
  readonly #clock: Clock;
  readonly #onRotated: () => void;
  #timer: Timer;

  /** `onRotated` is called when `of` returns others than before. */
  constructor(clock: Clock, onRotated: () => void) {
    this.#clock = clock;
    this.#onRotated = onRotated;
    this.#timer = this.#arm();
  }

  /** The secrets in force: the first signs, all verify. Empty: cookies are off. */
  of({ cookies, cookieSecrets }: Pick<DnsConfig, 'cookies' | 'cookieSecrets'>): readonly string[] {
    if (!cookies) return [];
    return cookieSecrets.length > 0 ? cookieSecrets : this.#own;
  }

  stop(): void {
    this.#timer.cancel();
  }

  #arm(): Timer {
    return this.#clock.after(ROTATE_EVERY_MS, () => {
      // The one before goes on verifying: no cookie is good for longer than an hour.
      this.#own = [newSecret(), this.#own[0]!];
      this.#timer = this.#arm();
      this.#onRotated();
    });
  }
}

function newSecret(): string {
  return randomBytes(SECRET_LENGTH).toString('hex');
}
