// checkers.ts -- which checker probes which type of check
//
// Adding a checker: its file, its type in health/check-spec.ts, one row here, one test that runs the conformance suite.

import { CHECK_TYPES, type CheckType } from '../health/check-spec.ts';
import type { Checker } from '../health/checker.ts';
import { DnsChecker } from './dns.ts';
import { ExecChecker } from './exec.ts';
import { GrpcChecker } from './grpc.ts';
import { HttpChecker } from './http.ts';
import type { ProbeOptions } from './resolver.ts';
import { TcpChecker } from './tcp.ts';

/** A checker per type; `heartbeat` has none because nothing is probed: the instance calls us. */
export type Checkers = Readonly<Record<CheckType, Checker | undefined>>;

const FACTORIES: Readonly<Record<CheckType, ((options: ProbeOptions) => Checker) | undefined>> = {
  http: (options) => new HttpChecker(options),
  tcp: (options) => new TcpChecker(options),
  grpc: (options) => new GrpcChecker(options),
  exec: (options) => new ExecChecker(options),
  dns: (options) => new DnsChecker(options),
  heartbeat: undefined,
};

/** One checker of each type. */
export function createCheckers(options: ProbeOptions): Checkers {
  const made = CHECK_TYPES.map((type) => [type, FACTORIES[type]?.(options)] as const);
  return Object.fromEntries(made) as Checkers;
}

/** End the probes under way and close the connections kept alive. */
export async function closeCheckers(checkers: Checkers): Promise<void> {
  await Promise.all(Object.values(checkers).map((checker) => checker?.close()));
}
