// build-view.ts -- zones and domains into a View

import type { IpPrefix } from '../base/ip.ts';
import { isWithin, type Name, nameKey, parseName } from '../dns/name.ts';
import { type ClientZone, ClientZones } from '../routing/client-zones.ts';
import type { Zone } from '../zone/zone.ts';
import { DomainNames, type DomainSettings } from './domain-names.ts';
import { Freshnesses } from './freshness.ts';
import type { RegistryNames } from './registry-names.ts';
import { ReverseNames, reverseApexes, widest } from './reverse-names.ts';
import { localClaimZone, reverseZone, syntheticZone } from './synthetic-zone.ts';
import { type ServedZone, View } from './view.ts';

export interface ViewPlan {
  /** From zone files. */
  readonly zones: readonly Zone[];
  readonly domains: readonly DomainSettings[];
  /** Negative TTL of zones that are no domain. */
  readonly negativeTtlSeconds: number;
  /** IP text: where `ns.D` is, for domains without a zone file. Not empty. */
  readonly serverAddresses: readonly string[];
  /** Answer the SOA of `local.` when a domain ends in it. */
  readonly claimLocal: boolean;
  /** Networks whose addresses have names in reverse zones; default none. */
  readonly reverse?: readonly IpPrefix[];
  /** Whose EDNS client subnet is believed; default nobody's. */
  readonly clientSubnetFrom?: readonly IpPrefix[];
  /** Which zones clients are in; default none. */
  readonly clientZones?: readonly ClientZone[];
}

/** Every zone file is served; a domain without one gets an apex made up for it. */
export function buildView(plan: ViewPlan, names: RegistryNames): View {
  const served: ServedZone[] = [];
  const freshnesses = new Freshnesses();
  const zones = new ClientZones(plan.clientZones ?? []);
  const files = new Map(plan.zones.map((zone) => [nameKey(zone.apex), zone]));
  for (const settings of plan.domains) {
    const key = nameKey(settings.apex);
    const zone = files.get(key) ?? syntheticZone(settings.apex, plan.serverAddresses, settings.negativeTtlSeconds);
    files.delete(key);
    served.push({
      zone,
      domain: new DomainNames(settings, names, freshnesses, zones),
      negativeTtlSeconds: settings.negativeTtlSeconds,
      apexOnly: false,
    });
  }
  const { negativeTtlSeconds } = plan;
  const [domain] = served;
  for (const zone of files.values()) served.push({ zone, domain: undefined, negativeTtlSeconds, apexOnly: false });
  if (domain?.domain !== undefined) addReverse(served, domain.zone, domain.domain.settings, plan, names);
  const claimant = plan.claimLocal ? claimantOf(served) : undefined;
  if (claimant !== undefined) {
    const zone = localClaimZone(claimant.zone, negativeTtlSeconds);
    served.push({ zone, domain: undefined, negativeTtlSeconds, apexOnly: true });
  }
  return new View(served, freshnesses, plan.clientSubnetFrom);
}

/** The names of addresses, in the zones of files where these have room for them, else in zones made up for them. */
function addReverse(
  served: ServedZone[],
  domain: Zone,
  settings: DomainSettings,
  { reverse = [], negativeTtlSeconds }: ViewPlan,
  names: RegistryNames,
): void {
  const networks = widest(reverse);
  const made: ServedZone[] = [];
  const apexes = networks.flatMap(reverseApexes);
  const zoneFor = (zone: Zone): ReverseNames => new ReverseNames(zone.apex, { domain: settings, networks }, names);
  for (const [i, each] of served.entries()) {
    const { apex } = each.zone;
    const holds = apexes.some((other) => isWithin(other, apex) || isWithin(apex, other));
    if (holds && each.domain === undefined) served[i] = { ...each, reverse: zoneFor(each.zone) };
  }
  for (const apex of apexes) {
    if (served.some(({ zone }) => isWithin(apex, zone.apex))) continue;
    const zone = reverseZone(apex, domain, negativeTtlSeconds);
    made.push({ zone, domain: undefined, reverse: zoneFor(zone), negativeTtlSeconds, apexOnly: false });
  }
  served.push(...made);
}

const LOCAL: Name = parseName('local.');

/** The first domain below `local.`, if that is nobody's yet. */
function claimantOf(served: readonly ServedZone[]): ServedZone | undefined {
  if (served.some(({ zone }) => nameKey(zone.apex) === nameKey(LOCAL))) return undefined;
  return served.find(({ zone, domain }) => domain !== undefined && isWithin(zone.apex, LOCAL));
}
