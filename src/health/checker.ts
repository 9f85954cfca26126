// checker.ts -- what health needs of a checker: one probe, bounded in time

import type { CheckSpec, ProbeResult } from './check-spec.ts';

/** What a probe is about. */
export interface ProbeTarget {
  readonly instanceId: string;
  readonly service: string;
  /** The instance's address: an IP, or a host name. */
  readonly address: string;
  readonly port: number;
  /** It stands in the configuration of this machine; who wrote that may run programs and read files anyway. */
  readonly isStatic?: boolean;
  readonly check: CheckSpec;
}

/** Probes one kind of check. */
export interface Checker {
  /**
   * Probe once. Never rejects: whatever goes wrong is a critical result that says why. Settles at the latest when
   * `target.check.timeoutMs` has passed, with every resource it opened released.
   */
  probe(target: ProbeTarget): Promise<ProbeResult>;
  /** Release connections kept alive between probes, at shutdown. */
  close(): Promise<void>;
}
