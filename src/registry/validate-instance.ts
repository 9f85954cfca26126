// validate-instance.ts -- registrations from untrusted input, canonical and with defaults filled in

import { anyPrefixContains, type IpAddress, isUnspecified, parseIp, parseNetwork } from '../base/ip.ts';
import type { CheckSpec } from '../health/check-spec.ts';
import { Findings, InputObject } from './input.ts';
import { readTags } from './input-forms.ts';
import type { Instance, NamedPort } from './instance.ts';
import { checkIdProblem, idProblem, isHostName, portNameProblem, serviceProblem } from './label.ts';
import { type CheckDefaults, readCheck } from './validate-check.ts';

/** What validation has to know of the rest of the configuration. */
export interface InstanceRules {
  readonly checkDefaults: CheckDefaults;
  /** The served domains, without trailing dots, lower case: no instance's address may be in or below its own name. */
  readonly domains: readonly string[];
}

const MAX_PORTS = 32;
/** The most checks of one instance. */
export const MAX_CHECKS = 32;
const MAX_META_KEYS = 64;
/** Metadata is answered as TXT, where several instances must fit one message of 64 KiB. */
const MAX_META_OCTETS = 4096;
export const MAX_TTL_SECONDS = 86_400;
const DAY_MS = 86_400_000;

/** What the path of a request says already. */
export interface KnownParts {
  readonly service?: string;
  readonly id?: string;
}

/**
 * Read a registration. Throws CodedError `invalid` (every problem in its details) or `not_supported`.
 * `where` is the path in front of every detail, for lists.
 */
export function readInstance(value: unknown, known: KnownParts, rules: InstanceRules): Instance {
  const findings = new Findings();
  const instance = readInstanceInto(findings, value, '', known, rules);
  findings.throwAny('instance');
  return instance!;
}

/** As `readInstance`, noting problems in `findings` instead; undefined when there were any. */
export function readInstanceInto(
  findings: Findings,
  value: unknown,
  path: string,
  known: KnownParts,
  rules: InstanceRules,
): Instance | undefined {
  const input = InputObject.of(value, path, findings);
  if (input === undefined) return undefined;
  const before = findings.invalid.length + findings.unsupported.length;
  const service = readKnown(input, 'service', known.service, serviceProblem)?.toLowerCase();
  const statedId = readKnown(input, 'id', known.id, idProblem, false);
  const address = readAddress(input, service, rules);
  const port = input.integer('port', 1, 65535);
  if (!input.has('port')) input.fail('port', 'is missing');
  const instance = {
    service: service ?? '',
    address: address ?? '',
    port: port ?? 0,
    ports: readPorts(input.object('ports')),
    tags: readTags(input),
    meta: readMeta(input),
    weight: input.integer('weight', 0, 65535) ?? 1,
    ...readOptional(input),
  };
  // Without a valid address its checks could only repeat that problem.
  const checks = readChecks(input, { address: address ?? '127.0.0.1', port: port ?? 1 }, rules.checkDefaults);
  input.finish();
  if (findings.invalid.length + findings.unsupported.length > before) return undefined;
  const id = statedId ?? `${instance.service}-${instance.address}:${instance.port}`;
  if (idProblem(id) !== undefined) return input.fail('id', 'must be stated: the address is too long for a default id');
  return { id, ...instance, checks };
}

function readKnown(
  input: InputObject,
  key: 'service' | 'id',
  known: string | undefined,
  problem: (text: string) => string | undefined,
  required = true,
): string | undefined {
  const stated = input.word(key, problem);
  if (known === undefined) {
    if (required && !input.has(key)) input.fail(key, 'is missing');
    return stated;
  }
  const found = problem(known);
  if (found !== undefined) return input.fail(key, found);
  const differs = key === 'id' ? stated !== known : stated?.toLowerCase() !== known.toLowerCase();
  if (stated !== undefined && differs) return input.fail(key, `is not the '${known}' of the path`);
  return known;
}

function readAddress(input: InputObject, service: string | undefined, rules: InstanceRules): string | undefined {
  const text = input.text('address', 253);
  if (text === undefined) return input.has('address') ? undefined : input.fail('address', 'is missing');
  const ip = parseIp(text);
  if (ip !== undefined) {
    if (isUnspecified(ip) || isForMany(ip))
      return input.fail('address', `'${ip.text}' is not an address one can connect to`);
    return ip.text;
  }
  const host = text.replace(/\.$/, '').toLowerCase();
  if (!isHostName(host)) return input.fail('address', 'must be an IP address or a host name');
  const isOwn = rules.domains.some((domain) => `.${host}`.endsWith(`.${service}.${domain}`));
  return isOwn ? input.fail('address', 'must not be a name in or below the service itself') : host;
}

const MULTICAST = parseNetwork('multicast')!;

/** Multicast and broadcast. */
function isForMany(ip: IpAddress): boolean {
  return anyPrefixContains(MULTICAST, ip) || ip.text === '255.255.255.255';
}

function readPorts(input: InputObject | undefined): Readonly<Record<string, NamedPort>> {
  const ports: Record<string, NamedPort> = {};
  const names = input?.keys() ?? [];
  if (names.length > MAX_PORTS) {
    for (const name of names) input!.has(name);
    return input!.fail('', `has ${names.length} ports (at most ${MAX_PORTS})`) ?? {};
  }
  for (const name of names) {
    const problem = portNameProblem(name);
    const value = input!.raw(name);
    if (problem !== undefined) {
      input!.fail(name.slice(0, 64).replace(/[^\x20-\x7e]/g, '?'), problem);
      continue;
    }
    if (Object.hasOwn(ports, name.toLowerCase())) input!.fail(name, 'stands twice in different case');
    if (typeof value === 'object') {
      const detail = input!.object(name);
      const port = detail?.integer('port', 1, 65535);
      if (detail !== undefined && !detail.has('port')) detail.fail('port', 'is missing');
      const proto = detail?.oneOf('proto', ['tcp', 'udp'] as const) ?? 'tcp';
      detail?.finish();
      if (port !== undefined) ports[name.toLowerCase()] = { port, proto };
    } else {
      const port = input!.integer(name, 1, 65535);
      if (port !== undefined) ports[name.toLowerCase()] = { port, proto: 'tcp' };
    }
  }
  return ports;
}

function readMeta(input: InputObject): Readonly<Record<string, string>> {
  const meta = input.textMap('meta', MAX_META_KEYS, 1024) ?? {};
  for (const key of Object.keys(meta)) {
    if (key.includes('=')) input.fail('meta', `the key '${key}' holds '=', which ends a key in TXT records`);
  }
  const octets = Object.entries(meta).reduce((sum, [key, value]) => sum + Buffer.byteLength(`${key}=${value}`) + 1, 0);
  if (octets > MAX_META_OCTETS) input.fail('meta', `has ${octets} octets in all (at most ${MAX_META_OCTETS})`);
  return meta;
}

function readOptional(input: InputObject): Pick<Instance, 'zone' | 'ttlSeconds' | 'leaseTtlMs' | 'warmupMs'> {
  const zone = input.text('zone', 128);
  const ttlSeconds = readTtlSeconds(input);
  const leaseTtlMs = input.duration('leaseTtl', 1000, 365 * DAY_MS);
  const warmupMs = input.duration('warmup', 0, DAY_MS);
  return {
    ...(zone === undefined ? {} : { zone }),
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(leaseTtlMs === undefined ? {} : { leaseTtlMs }),
    ...(warmupMs === undefined ? {} : { warmupMs }),
  };
}

/** A record TTL: a duration of whole seconds from 0s to a day (CVE-2025-58063 shows what an unclamped one does). */
export function readTtlSeconds(input: InputObject): number | undefined {
  const milliseconds = input.duration('ttl', 0, MAX_TTL_SECONDS * 1000);
  if (milliseconds === undefined) return undefined;
  return milliseconds % 1000 === 0 ? milliseconds / 1000 : input.fail('ttl', 'must be whole seconds');
}

function readChecks(
  input: InputObject,
  owner: { address: string; port: number },
  defaults: CheckDefaults,
): readonly CheckSpec[] {
  const objects = (input.list('checks', MAX_CHECKS) ?? []).map((each, index) =>
    InputObject.of(each, input.at(`checks[${index}]`), input.findings),
  );
  const stated = new Set(objects.map((object) => object?.raw('id')));
  const checks: CheckSpec[] = [];
  for (const object of objects) {
    const read = object === undefined ? undefined : readCheck(object, owner, defaults);
    if (read === undefined) continue;
    const isTaken = (id: string): boolean => checks.some((other) => other.id === id);
    const check = object!.has('id') ? read : { ...read, id: freeId(read.type, (id) => isTaken(id) || stated.has(id)) };
    if (isTaken(check.id)) object!.fail('id', `'${check.id}' stands twice`);
    checks.push(check);
  }
  return checks;
}

/** The id of a check that states none: its type, numbered from the second on. */
function freeId(type: string, isTaken: (id: string) => boolean): string {
  let id = type;
  for (let number = 2; isTaken(id); number++) id = `${type}-${number}`;
  return id;
}

/** Read a check that is set up on its own. Throws CodedError `invalid` or `not_supported`. */
export function readSingleCheck(value: unknown, id: string, owner: Instance, defaults: CheckDefaults): CheckSpec {
  const findings = new Findings();
  const problem = checkIdProblem(id);
  if (problem !== undefined) findings.invalid.push({ path: 'id', message: problem });
  const input = InputObject.of(value, '', findings);
  const check = input === undefined ? undefined : readCheck(input, owner, defaults, id);
  findings.throwAny('check');
  return check!;
}
