// flood.ts -- floods a server from a process of its own

import type { Address } from './built-server.ts';
import { Crew } from './crew.ts';

export interface FloodOptions {
  readonly server: Address;
  /** Addresses of this machine, all of 127.0.0.0/8 among them. */
  readonly sources: readonly string[];
  /** As query-text.ts has them, asked in turn; `xxxxxxxxxxxx` in a name is another one each time. */
  readonly questions: readonly string[];
  readonly perSecond: number;
  /** Undefined: until it is told to stop. */
  readonly seconds?: number | undefined;
}

export interface FloodReport {
  readonly sent: number;
  /** Of DNS messages. */
  readonly octetsSent: number;
  readonly replies: number;
  readonly octetsReceived: number;
  /** Replies without TC. */
  readonly whole: number;
  /** Octets of the largest reply. */
  readonly largest: number;
  readonly largestWithoutEdns: number;
  /** Replies by rcode. */
  readonly rcodes: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** When the first and the last query went out; milliseconds since 1970. */
  readonly startedMs: number;
  readonly endedMs: number;
}

/** Start a flood; it ends by `stop()`, or by itself. */
export function startFlood(
  scope: { after(cleanup: () => unknown): void },
  options: FloodOptions,
): Promise<Crew<FloodReport>> {
  return Crew.start<FloodOptions, FloodReport>(scope, new URL('./flood-crew.ts', import.meta.url), options);
}

/** The addresses `prefix.1` to `prefix.count`. */
export function hosts(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}.${i + 1}`);
}
