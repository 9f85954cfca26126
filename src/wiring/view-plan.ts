// view-plan.ts -- from the configuration and the zone files to the plan of a View

import { hostname, networkInterfaces } from 'node:os';
import type { Problem } from '../base/errors.ts';
import { anyPrefixContains, type Endpoint, isUnspecified, parseIp, parseNetwork } from '../base/ip.ts';
import type { Config, DnsConfig } from '../config/config.ts';
import { equalNames, parseName } from '../dns/name.ts';
import type { ViewPlan } from '../nameserver/build-view.ts';
import type { ChaosTexts } from '../nameserver/chaos-names.ts';
import type { DomainSettings } from '../nameserver/domain-names.ts';
import type { QuerySettings } from '../nameserver/query-settings.ts';
import { findShadows } from '../nameserver/shadows.ts';
import type { InstanceRules } from '../registry/validate-instance.ts';
import type { Zone } from '../zone/zone.ts';
import { forwardRules } from './forwarding.ts';

/** The domains with everything filled in that they leave to `dns`. */
export function domainSettings(dns: DnsConfig): DomainSettings[] {
  return dns.domains.map((domain) => ({
    apex: parseName(`${domain.name}.`),
    ttlSeconds: domain.ttlSeconds ?? dns.ttlSeconds,
    volatileTtlSeconds: dns.volatileTtlSeconds,
    negativeTtlSeconds: domain.negativeTtlSeconds ?? dns.negativeTtlSeconds,
    maxAnswers: domain.maxAnswers ?? dns.maxAnswers,
  }));
}

/** Everything a View is built from. */
export function viewPlan(dns: DnsConfig, zones: readonly Zone[]): ViewPlan {
  return {
    zones,
    domains: domainSettings(dns),
    negativeTtlSeconds: dns.negativeTtlSeconds,
    serverAddresses: dns.advertise.length > 0 ? dns.advertise : reachableAddresses(dns.listen),
    claimLocal: dns.claimLocal,
    reverse: dns.reverse,
    clientSubnetFrom: dns.clientSubnetFrom,
    clientZones: dns.clientZones,
  };
}

/** What answering goes by beside. `cookieSecrets`: those in force; `version`: of this program. */
export function querySettings(dns: DnsConfig, cookieSecrets: readonly string[], version: string): QuerySettings {
  const { maxUdpSize } = dns;
  const rules = forwardRules(dns);
  const { responsesPerSecond: stated, ...rest } = dns.rateLimit;
  const responsesPerSecond = stated === 'auto' ? (isPublic(dns.listen) ? PUBLIC_LIMIT : 0) : stated;
  return {
    maxUdpSize,
    cookieSecrets,
    transferTo: dns.transferTo,
    ...(rules === undefined ? {} : { forward: rules }),
    ...(dns.proxyProtocolFrom.length === 0 ? {} : { proxyProtocolFrom: dns.proxyProtocolFrom }),
    ...(dns.nsid === undefined ? {} : { nsid: dns.nsid }),
    ...(dns.chaos === false ? {} : { chaos: chaosTexts(dns, version) }),
    ...(responsesPerSecond > 0 ? { rateLimit: { responsesPerSecond, ...rest } } : {}),
  };
}

function chaosTexts({ chaos, nsid }: DnsConfig, version: string): ChaosTexts {
  return typeof chaos === 'object' ? chaos : { version: `Rollcall ${version}`, id: nsid ?? hostname() };
}

/** Equal replies to a network in a second, where nothing is said and anybody may ask; NSD's default. */
const PUBLIC_LIMIT = 200;
const LOCAL = [...parseNetwork('loopback')!, ...parseNetwork('private')!, ...parseNetwork('link-local')!];

/** May others than neighbours reach a listener? A wildcard stands for addresses that nobody knows yet. */
function isPublic(listen: readonly Endpoint[]): boolean {
  return listen.some(({ address }) => !anyPrefixContains(LOCAL, parseIp(address)!));
}

/** Warnings for services whose names the zone files hide. */
export function shadowWarnings(dns: DnsConfig, zones: readonly Zone[], services: Iterable<string>): Problem[] {
  const names = [...services];
  return domainSettings(dns).flatMap(({ apex }) => {
    const zone = zones.find((each) => equalNames(each.apex, apex));
    return zone === undefined ? [] : findShadows(zone, names);
  });
}

/** What validation of registrations needs of the configuration. */
export function instanceRules(config: Config): InstanceRules {
  const { intervalMs, timeoutMs, rise, fall, allowExec } = config.health;
  return {
    checkDefaults: { intervalMs, timeoutMs, rise, fall, allowExec },
    domains: config.dns.domains.map((domain) => domain.name),
  };
}

/** The listen addresses; a wildcard stands for the machine's addresses, loopback only when there are no others. */
function reachableAddresses(listen: readonly Endpoint[]): string[] {
  const addresses = new Set<string>();
  for (const endpoint of listen) {
    const address = parseIp(endpoint.address);
    if (address === undefined) continue;
    if (!isUnspecified(address)) addresses.add(address.text);
    else for (const each of machineAddresses(address.family)) addresses.add(each);
  }
  return addresses.size > 0 ? [...addresses] : ['127.0.0.1'];
}

function machineAddresses(family: 4 | 6): string[] {
  const all = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((each) => each.family === `IPv${family}` && !each.address.startsWith('fe80:'));
  const external = all.filter((each) => !each.internal);
  return (external.length > 0 ? external : all).map((each) => each.address);
}
