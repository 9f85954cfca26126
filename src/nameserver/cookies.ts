// cookies.ts -- DNS cookies (RFC 7873) with server cookies that other makes of server understand (RFC 9018)
//
// One for each thread: it holds what it found out about the query at hand, and the option for its reply. Taking a query
// allocates nothing. Times are the caller's, since nothing here reads a clock.

import { isMapped } from '../base/ip.ts';
import { SipHash } from '../base/sip-hash.ts';
import { EDNS_OPTION } from '../dns/codes.ts';
import { wordAt } from '../routing/client-hash.ts';
import type { Client } from './client.ts';

/** Octets of a client cookie, and of a whole one as it is made here. */
const CLIENT_COOKIE_LENGTH = 8;
const COOKIE_LENGTH = 24;
/** The code and the length of an option. */
const HEAD_LENGTH = 4;

const MIN_WITH_SERVER = 16;
const MAX_LENGTH = 40;
/** The version of server cookie spoken here (RFC 9018 section 4.1). */
const VERSION = 1;
const VERSION_AT = 8;
const TIMESTAMP_AT = 12;
const HASH_AT = 16;
/** How far a server cookie's time may lie back and ahead, and when it is replaced (RFC 9018 section 4.3). */
const MAX_AGE_SECONDS = 3600;
const MAX_AHEAD_SECONDS = 300;
const RENEW_AGE_SECONDS = 1800;
const IPV4_LENGTH = 4;
const IPV6_LENGTH = 16;

/** The lengths of a cookie option that RFC 7873 section 5.2.2 allows. */
export function isCookieLength(length: number): boolean {
  return length === CLIENT_COOKIE_LENGTH || (length >= MIN_WITH_SERVER && length <= MAX_LENGTH);
}

/** Verifies and makes server cookies. */
export class ServerCookies {
  /** Are cookies spoken at all? */
  readonly isOn: boolean;
  /** The query at hand has a cookie. */
  isTaken = false;
  /** The query at hand has a server cookie of ours: its sender receives what is sent to its address. */
  isGood = false;
  /** It has a server cookie, be it good or not. */
  hasServerCookie = false;
  /** The option for the reply to the query at hand, with its code and length. */
  readonly option = new Uint8Array(HEAD_LENGTH + COOKIE_LENGTH);
  /** The first signs, all verify. */
  readonly #keys: readonly SipHash[];
  /** What is hashed: the cookie up to its timestamp, and the address (RFC 9018 section 4.4). */
  readonly #input = new Uint8Array(HASH_AT + IPV6_LENGTH);
  #inputLength = 0;

  /** `secrets`: 32 hexadecimal digits each; without any, cookies are not spoken. */
  constructor(secrets: readonly string[]) {
    this.#keys = secrets.map((secret) => new SipHash(Buffer.from(secret, 'hex')));
    this.isOn = secrets.length > 0;
    this.option.set([0, EDNS_OPTION.COOKIE, 0, COOKIE_LENGTH]);
  }

  /** The cookie in `option`, for who keeps it. */
  get cookie(): Uint8Array {
    return this.option.slice(HEAD_LENGTH);
  }

  /** A query begins; nothing is known of a cookie yet. */
  begin(): void {
    this.isTaken = false;
    this.isGood = false;
    this.hasServerCookie = false;
  }

  /**
   * Take the cookie of `length` octets (see `isCookieLength`) at `at` of a query from `client`: fills in `isGood` and
   * `option`. A good server cookie goes back as it came while it is young; otherwise the client gets a fresh one.
   */
  take(octets: Uint8Array, at: number, length: number, client: Client, nowSeconds: number): void {
    const { option } = this;
    const input = this.#input;
    for (let i = 0; i < CLIENT_COOKIE_LENGTH; i++) input[i] = octets[at + i]!;
    this.#inputLength = HASH_AT + writeAddress(client.octets(), input);
    let key = -1;
    let ageSeconds = 0;
    if (length === COOKIE_LENGTH && octets[at + VERSION_AT] === VERSION) {
      // The reserved octets are hashed as they came (RFC 9018 section 4.2).
      for (let i = VERSION_AT; i < HASH_AT; i++) input[i] = octets[at + i]!;
      // Serial number arithmetic: timestamps go round in 2106.
      ageSeconds = (nowSeconds - wordAt(octets, at + TIMESTAMP_AT)) | 0;
      if (ageSeconds <= MAX_AGE_SECONDS && ageSeconds >= -MAX_AHEAD_SECONDS) key = this.#verify(octets, at + HASH_AT);
    }
    this.isTaken = true;
    this.isGood = key >= 0;
    this.hasServerCookie = length > CLIENT_COOKIE_LENGTH;
    if (key === 0 && ageSeconds <= RENEW_AGE_SECONDS)
      for (let i = 0; i < COOKIE_LENGTH; i++) option[HEAD_LENGTH + i] = octets[at + i]!;
    else this.#make(nowSeconds);
  }

  /** The place of the key that a server cookie was made with; -1 for none. */
  #verify(octets: Uint8Array, at: number): number {
    const low = littleEndian(octets, at);
    const high = littleEndian(octets, at + 4);
    let found = -1;
    // No way out at the first difference: how long it takes must not tell how much of a guess was right.
    for (let i = this.#keys.length - 1; i >= 0; i--) {
      const key = this.#keys[i]!;
      key.hash(this.#input, this.#inputLength);
      const difference = (low ^ key.low) | (high ^ key.high);
      if (difference === 0) found = i;
    }
    return found;
  }

  #make(nowSeconds: number): void {
    const { option } = this;
    const input = this.#input;
    input[VERSION_AT] = VERSION;
    for (let i = VERSION_AT + 1; i < TIMESTAMP_AT; i++) input[i] = 0;
    writeWord(input, TIMESTAMP_AT, nowSeconds);
    const key = this.#keys[0]!;
    key.hash(input, this.#inputLength);
    for (let i = 0; i < HASH_AT; i++) option[HEAD_LENGTH + i] = input[i]!;
    writeLittleEndian(option, HEAD_LENGTH + HASH_AT, key.low);
    writeLittleEndian(option, HEAD_LENGTH + HASH_AT + 4, key.high);
  }
}

/** Put a client's address behind the cookie, IPv4 as 4 octets; returns how many. */
function writeAddress(address: Uint8Array, input: Uint8Array): number {
  const from = isMapped(address) ? IPV6_LENGTH - IPV4_LENGTH : 0;
  for (let i = from; i < IPV6_LENGTH; i++) input[HASH_AT + i - from] = address[i]!;
  return IPV6_LENGTH - from;
}

function writeWord(octets: Uint8Array, at: number, word: number): void {
  octets[at] = word >>> 24;
  octets[at + 1] = word >>> 16;
  octets[at + 2] = word >>> 8;
  octets[at + 3] = word;
}

function littleEndian(octets: Uint8Array, at: number): number {
  return octets[at]! | (octets[at + 1]! << 8) | (octets[at + 2]! << 16) | (octets[at + 3]! << 24);
}

function writeLittleEndian(octets: Uint8Array, at: number, word: number): void {
  octets[at] = word;
  octets[at + 1] = word >>> 8;
  octets[at + 2] = word >>> 16;
  octets[at + 3] = word >>> 24;
}
