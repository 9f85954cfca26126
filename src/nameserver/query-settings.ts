// query-settings.ts -- what answering goes by beside the zones: the same on every thread, exchanged by a reload

/** Plain data, so that it can be told to other threads. */
export interface QuerySettings {
  /** The largest reply over UDP, and what is said of it in OPT. */
  readonly maxUdpSize: number;
}

/** The size that is not fragmented on any usual path (DNS Flag Day 2020). */
export const DEFAULT_MAX_UDP_SIZE = 1232;

/** What is in force where nothing is said. */
export const DEFAULT_QUERY_SETTINGS: QuerySettings = { maxUdpSize: DEFAULT_MAX_UDP_SIZE };
