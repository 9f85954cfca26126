// query-settings.ts -- what answering goes by beside the zones: the same on every thread, exchanged by a reload

import type { IpPrefix } from '../base/ip.ts';
import type { ChaosTexts } from './chaos-names.ts';
import type { ForwardRules } from './outside-names.ts';
import type { RateLimitSettings } from './rate-limit.ts';

/** Plain data, so that it can be told to other threads. */
export interface QuerySettings {
  /** The largest reply over UDP, and what is said of it in OPT. */
  readonly maxUdpSize: number;
  /** Who gets zones whole; default nobody. */
  readonly transferTo?: readonly IpPrefix[];
  /** Undefined: replies are not limited. */
  readonly rateLimit?: RateLimitSettings;
  /** Secrets of server cookies, 32 hexadecimal digits each: the first signs, all verify. Without any, none are spoken. */
  readonly cookieSecrets?: readonly string[];
  /** Senders of datagrams that tell, by the PROXY protocol, for whom they ask; undefined: nobody. */
  readonly proxyProtocolFrom?: readonly IpPrefix[];
  /** What the server calls itself to who asks for its NSID; undefined: nothing. */
  readonly nsid?: string;
  /** What is told in class CHAOS; undefined: nothing. */
  readonly chaos?: ChaosTexts;
  /** Whose questions for names outside every zone are asked upstream; undefined: nobody's. */
  readonly forward?: ForwardRules;
}

/** The size that is not fragmented on any usual path (DNS Flag Day 2020). */
const DEFAULT_MAX_UDP_SIZE = 1232;

/** What is in force where nothing is said. */
export const DEFAULT_QUERY_SETTINGS: QuerySettings = { maxUdpSize: DEFAULT_MAX_UDP_SIZE };
