// read-simulation.ts -- the body of POST /v1/simulate: which clients, for how long, and what goes wrong meanwhile

import { CodedError } from '../base/errors.ts';
import { type IpPrefix, parsePrefix } from '../base/ip.ts';
import { parseType, TYPE } from '../dns/codes.ts';
import { type Picks, REPORT_MS } from '../nameserver/simulate.ts';
import { Findings, InputObject } from '../registry/input.ts';
import { serviceProblem } from '../registry/label.ts';
import type { Policy } from '../registry/policy.ts';
import type { Registry } from '../registry/registry.ts';
import { readPolicy } from '../registry/validate-policy.ts';
import type { SimulationWish } from './api-parts.ts';

const MAX_CLIENTS = 10_000;
const MAX_DURATION_MS = 3_600_000;
/** Requests of all clients together: some seconds of work for each policy. */
const MAX_REQUESTS = 500_000;
/** Reports of instances in the simulated time. */
const MAX_REPORTS = 500_000;
const MAX_FAILURES = 100;
const MAX_SERVICE_TIMES = 5000;
const PICKS: readonly Picks[] = ['first', 'any'];
const DEFAULT_NETWORK = '10.0.0.0/8';
const ENTRY = /^(?:A|AAAA|SRV)$/i;

export interface AskedSimulation {
  readonly wish: SimulationWish;
  readonly policy: Policy | undefined;
  /** The policy in force at the beginning; it may become another one meanwhile. */
  readonly present: Policy | undefined;
}

/** The name of the service in a body, lower case; undefined where it is not a name. */
export function simulatedService(body: unknown): string | undefined {
  const service = (body as { readonly service?: unknown } | null | undefined)?.service;
  return typeof service === 'string' && serviceProblem(service) === undefined ? service.toLowerCase() : undefined;
}

/** Read a body. Throws CodedError `invalid`, `unknown_service`, and what policies are refused with. */
export function readSimulation(body: unknown, registry: Registry): AskedSimulation {
  const findings = new Findings();
  const input = InputObject.of(body, '', findings);
  if (input === undefined) return findings.throwAny('simulation') as never;
  const name = input.word('service', serviceProblem);
  if (!input.has('service')) input.fail('service', 'is needed');
  const clients = input.integer('clients', 1, MAX_CLIENTS) ?? 100;
  const durationMs = input.duration('duration', 1000, MAX_DURATION_MS) ?? 60_000;
  const requestsPerSecond = input.number('requestsPerSecond', 0.001, 10_000) ?? 1;
  const picks = input.oneOf('picks', PICKS) ?? 'first';
  const type = parseType(
    input.word('type', (text) => (ENTRY.test(text) ? undefined : 'must be A, AAAA or SRV')) ?? 'A',
  );
  const seed = input.integer('seed', 0, 2 ** 31 - 1) ?? 1;
  const network = readNetwork(input);
  const usualMs = input.duration('serviceTime', 0, 600_000) ?? 100;
  const policyValue = input.raw('policy');
  const service = name === undefined ? undefined : registry.service(name.toLowerCase());
  const ids = [...(service?.instances.keys() ?? [])];
  const times = readServiceTimes(input, ids);
  const failures = readFailures(input, ids);
  input.finish();
  checkWork(input, { clients, durationMs, requestsPerSecond, instances: ids.length });
  findings.throwAny('simulation');
  if (service === undefined) throw new CodedError('unknown_service', `service '${name}' is not known`);
  const policy = policyValue === undefined ? undefined : readPolicy(policyValue, 'policy');
  return {
    policy,
    present: service.policy,
    wish: {
      service: { name: service.name, instances: [...service.instances.values()], rollout: service.rollout },
      ...{ picks, clients, durationMs, requestsPerSecond, failures, seed, network },
      type: type ?? TYPE.A,
      serviceTimesMs: ids.map((id) => times.get(id) ?? usualMs),
    },
  };
}

function readNetwork(input: InputObject): IpPrefix {
  const text = input.word('network', (each) =>
    parsePrefix(each) === undefined ? 'must be a network like 10.1.0.0/16' : undefined,
  );
  return parsePrefix(text ?? DEFAULT_NETWORK)!;
}

function readServiceTimes(input: InputObject, ids: readonly string[]): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  const stated = input.object('serviceTimes');
  if (stated === undefined) return times;
  if (stated.keys().length > MAX_SERVICE_TIMES) {
    input.fail('serviceTimes', `has more than ${MAX_SERVICE_TIMES} keys`);
    return times;
  }
  const known = new Set(ids);
  for (const id of stated.keys()) {
    // What is not asked for is an unknown field, which names it safely.
    if (!known.has(id)) continue;
    const ms = stated.duration(id, 0, 600_000);
    if (ms !== undefined) times.set(id, ms);
  }
  stated.finish();
  return times;
}

function readFailures(input: InputObject, ids: readonly string[]): SimulationWish['failures'] {
  const places = new Map(ids.map((id, index) => [id, index]));
  return (input.list('failures', MAX_FAILURES) ?? []).flatMap((value, i) => {
    const each = InputObject.of(value, `failures[${i}]`, input.findings);
    if (each === undefined) return [];
    const id = each.word('instance', (text) => (places.has(text) ? undefined : 'is no instance of the service'));
    if (!each.has('instance')) each.fail('instance', 'is needed');
    const atMs = each.duration('at', 0, MAX_DURATION_MS) ?? 0;
    const forMs = each.duration('for', 0, MAX_DURATION_MS) ?? Number.POSITIVE_INFINITY;
    each.finish();
    const instance = id === undefined ? undefined : places.get(id);
    return instance === undefined ? [] : [{ instance, atMs, forMs }];
  });
}

function checkWork(
  input: InputObject,
  work: { clients: number; durationMs: number; requestsPerSecond: number; instances: number },
): void {
  const { clients, durationMs, requestsPerSecond, instances } = work;
  const requests = Math.round((clients * requestsPerSecond * durationMs) / 1000);
  if (requests > MAX_REQUESTS) {
    input.fail('', `clients x requestsPerSecond x duration come to ${requests} requests (at most ${MAX_REQUESTS})`);
  }
  const reports = Math.round((instances * durationMs) / REPORT_MS);
  if (reports > MAX_REPORTS) {
    input.fail('duration', `is too long for ${instances} instances: at most ${Math.floor(MAX_REPORTS / instances)}s`);
  }
}
