// read-dns.ts -- the `dns` section

import { resolve } from 'node:path';
import { parseIp } from '../base/ip.ts';
import { NameError, parseName } from '../dns/name.ts';
import { InputObject } from '../registry/input.ts';
import { readNetworks, readTexts, section, shorten } from '../registry/input-forms.ts';
import { MAX_TTL_SECONDS } from '../registry/validate-instance.ts';
import { MAX_ANSWERS } from '../registry/validate-policy.ts';
import type { DnsConfig, DomainConfig } from './config.ts';
import { readClientZones } from './read-client-zones.ts';
import { readCookies, readNsid } from './read-cookies.ts';
import { readForward } from './read-forward.ts';
import { readChaos, readReverse } from './read-names.ts';
import { readRateLimit } from './read-rate-limit.ts';
import { readDnsTls, readProxyProtocol, readTcp } from './read-streams.ts';
import { readTransfer } from './read-transfer.ts';
import { isEmptyList, readEndpoints, readPath, type SectionSource } from './section.ts';

const DEFAULT_TTL_SECONDS = 5;
const DEFAULT_VOLATILE_TTL_SECONDS = 1;
const DEFAULT_MAX_ANSWERS = 8;
/** The size that is not fragmented on any usual path (DNS Flag Day 2020). */
const DEFAULT_MAX_UDP_SIZE = 1232;
const MAX_DOMAINS = 1000;
/** So that a service's longest label still fits before it within the 253 characters of a name. */
const MAX_DOMAIN_LENGTH = 189;
const MAX_WORKERS = 256;

/** Read the section, its defaults filled in; what is wrong goes to the findings of the source. */
export function readDns(source: SectionSource): DnsConfig {
  const input = section(source.root, 'dns');
  const listen = readEndpoints(input, 'listen') ?? [{ address: '127.0.0.1', port: 8600 }];
  if (isEmptyList(input, 'listen')) input.fail('listen', 'must name at least one address and port');
  const stated = readPath(source, input, 'zones');
  const domains = readDomains(input);
  const config: DnsConfig = {
    listen,
    tcp: readTcp(section(input, 'tcp')),
    tls: readDnsTls(source, section(input, 'tls'), listen),
    proxyProtocolFrom: readProxyProtocol(section(input, 'proxyProtocol')),
    workers: readWorkers(input),
    domains,
    advertise: readAdvertise(input),
    zonesFolder: stated ?? resolve(source.cwd, 'zones'),
    zonesStatedAt: stated === undefined ? undefined : source.tree.valuePlace('dns.zones'),
    ttlSeconds: readSeconds(input, 'ttl') ?? DEFAULT_TTL_SECONDS,
    volatileTtlSeconds: readSeconds(input, 'volatileTtl') ?? DEFAULT_VOLATILE_TTL_SECONDS,
    negativeTtlSeconds: readSeconds(input, 'negativeTtl') ?? DEFAULT_TTL_SECONDS,
    maxAnswers: input.integer('maxAnswers', 1, MAX_ANSWERS) ?? DEFAULT_MAX_ANSWERS,
    maxUdpSize: input.integer('maxUdpSize', 512, 4096) ?? DEFAULT_MAX_UDP_SIZE,
    claimLocal: input.boolean('claimLocal') ?? true,
    reverse: readReverse(input, domains.length),
    chaos: readChaos(input),
    ...readCookies(source, input),
    nsid: readNsid(input),
    rateLimit: readRateLimit(section(input, 'rateLimit')),
    transferTo: readTransfer(section(input, 'transfer')),
    clientSubnetFrom: readClientSubnet(section(input, 'clientSubnet')),
    clientZones: readClientZones(section(input, 'clientZones')),
    forward: readForward(source, input, listen),
  };
  input.unsupported('dnssec');
  input.finish();
  return config;
}

function readWorkers(input: InputObject): number | 'auto' {
  const value = input.raw('workers');
  if (value === undefined || value === 'auto') return 'auto';
  if (typeof value === 'number') return input.integer('workers', 0, MAX_WORKERS) ?? 'auto';
  return input.fail('workers', `must be auto or a whole number from 0 to ${MAX_WORKERS}`) ?? 'auto';
}

function readDomains(input: InputObject): readonly DomainConfig[] {
  const domains: DomainConfig[] = [];
  const value = input.raw('domains');
  const listed = typeof value === 'string' ? [value] : input.list('domains', MAX_DOMAINS);
  if (listed === undefined) return [{ name: 'service.local' }];
  for (const [index, each] of listed.entries()) {
    const key = typeof value === 'string' ? 'domains' : `domains[${index}]`;
    const domain = readDomain(input, key, each);
    if (domain === undefined) continue;
    if (domains.some(({ name }) => name === domain.name)) input.fail(key, `'${domain.name}' stands twice`);
    else domains.push(domain);
  }
  return domains;
}

function readDomain(input: InputObject, key: string, value: unknown): DomainConfig | undefined {
  if (typeof value === 'string') {
    const problem = domainProblem(value);
    return problem === undefined ? { name: canonical(value) } : input.fail(key, problem);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return input.fail(key, 'must be a domain name, or an object with name, ttl, negativeTtl, maxAnswers');
  }
  const object = InputObject.of(value, input.at(key), input.findings)!;
  const name = object.word('name', domainProblem);
  if (!object.has('name')) object.fail('name', 'is missing');
  const ttlSeconds = readSeconds(object, 'ttl');
  const negativeTtlSeconds = readSeconds(object, 'negativeTtl');
  const maxAnswers = object.integer('maxAnswers', 1, MAX_ANSWERS);
  object.finish();
  if (name === undefined) return undefined;
  return {
    name: canonical(name),
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(negativeTtlSeconds === undefined ? {} : { negativeTtlSeconds }),
    ...(maxAnswers === undefined ? {} : { maxAnswers }),
  };
}

function canonical(domain: string): string {
  return domain.toLowerCase().replace(/\.$/, '');
}

function domainProblem(text: string): string | undefined {
  const shown = shorten(text);
  if (text === '.' || text === '') return 'must be the name of a domain below the root';
  if (text.length > MAX_DOMAIN_LENGTH) return `has more than ${MAX_DOMAIN_LENGTH} characters`;
  try {
    parseName(text);
  } catch (thrown) {
    if (thrown instanceof NameError) return `'${shown}' is not a domain name: ${thrown.message}`;
    throw thrown;
  }
  const isPlain = canonical(text)
    .split('.')
    .every((label) => /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/.test(label));
  return isPlain ? undefined : `'${shown}' is not a domain name of letters, digits, - and _`;
}

function readAdvertise(input: InputObject): readonly string[] {
  return (readTexts(input, 'advertise') ?? []).flatMap(({ text, key }) => {
    const ip = parseIp(text);
    return ip?.text ?? input.fail(key, `'${shorten(text)}' is not an IP address`) ?? [];
  });
}

/** Whole seconds, 0 to a day. */
function readSeconds(input: InputObject, key: string): number | undefined {
  const milliseconds = input.duration(key, 0, MAX_TTL_SECONDS * 1000);
  if (milliseconds === undefined) return undefined;
  return milliseconds % 1000 === 0 ? milliseconds / 1000 : input.fail(key, 'must be whole seconds');
}

function readClientSubnet(input: InputObject): DnsConfig['clientSubnetFrom'] {
  const networks = readNetworks(input, 'from') ?? [];
  input.finish();
  return networks;
}
