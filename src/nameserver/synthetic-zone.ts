// synthetic-zone.ts -- the static part of a domain that has no zone file: SOA, NS, and addresses of ns.D

import { parseIp } from '../base/ip.ts';
import { CLASS, TYPE } from '../dns/codes.ts';
import { type Name, parseName, prependLabels } from '../dns/name.ts';
import { soaRdata } from '../dns/rdata/basic.ts';
import { buildZone } from '../zone/build-zone.ts';
import { glueOf } from '../zone/lookup.ts';
import type { LocatedRecord } from '../zone/master-file.ts';
import type { Zone } from '../zone/zone.ts';

/** Apex records change when the server moves, not when a service does. */
const APEX_TTL_SECONDS = 60;
/** Nobody is told of changes yet, so secondaries look often. */
const REFRESH_SECONDS = 15;
const RETRY_SECONDS = 5;
const EXPIRE_SECONDS = 604_800;

/** What stands for the file of a zone that has none. */
export const MADE_UP = '(made up)';

/** A zone for `apex` served by `ns.<apex>` at `addresses` (IP text). `negativeTtlSeconds` becomes the SOA's MINIMUM. */
export function syntheticZone(apex: Name, addresses: readonly string[], negativeTtlSeconds: number): Zone {
  const server = prependLabels(['ns'], apex);
  const records = apexRecords(apex, [server], prependLabels(['hostmaster'], apex), negativeTtlSeconds);
  for (const text of addresses) {
    const address = parseIp(text);
    if (address === undefined) continue;
    records.push(record(server, address.family === 4 ? TYPE.A : TYPE.AAAA, address.bytes));
  }
  return zoneOf(records);
}

/** A reverse zone: it is served by whoever serves `domain`, the zone that its names lead to. */
export function reverseZone(apex: Name, domain: Zone, negativeTtlSeconds: number): Zone {
  return zoneOf(apexRecords(apex, serversOf(domain), prependLabels(['hostmaster'], domain.apex), negativeTtlSeconds));
}

/**
 * The zone that answers the SOA of `local.` so that nss-mdns lets longer names through to DNS (contract: claimLocal). It is
 * served by whoever serves `domain`, a zone below it, since nothing else below `local.` is ours.
 */
export function localClaimZone(domain: Zone, negativeTtlSeconds: number): Zone {
  const servers = serversOf(domain);
  const records = apexRecords(
    parseName('local.'),
    servers,
    prependLabels(['hostmaster'], domain.apex),
    negativeTtlSeconds,
  );
  // A sound zone has the addresses of its servers; asked for, they are found in the domain.
  const glue = servers.flatMap((server) => glueOf(domain, server));
  for (const { name, type, rdatas } of glue) for (const rdata of rdatas) records.push(record(name, type, rdata));
  return zoneOf(records);
}

function serversOf({ root }: Zone): readonly Name[] {
  return root.sets.get(TYPE.NS)!.rdatas as readonly Name[];
}

function apexRecords(apex: Name, servers: readonly Name[], mailbox: Name, minimumSeconds: number): LocatedRecord[] {
  const soa = soaRdata({
    primary: servers[0]!,
    mailbox,
    serial: 1,
    refreshSeconds: REFRESH_SECONDS,
    retrySeconds: RETRY_SECONDS,
    expireSeconds: EXPIRE_SECONDS,
    minimumSeconds,
  });
  return [record(apex, TYPE.SOA, soa), ...servers.map((server) => record(apex, TYPE.NS, server))];
}

function record(name: Name, type: number, rdata: Uint8Array): LocatedRecord {
  return { name, type, class: CLASS.IN, ttlSeconds: APEX_TTL_SECONDS, rdata, file: MADE_UP, line: 0, column: 0 };
}

function zoneOf(records: readonly LocatedRecord[]): Zone {
  const { zone, problems } = buildZone(records, MADE_UP);
  if (zone === undefined) throw new Error(`cannot make up a zone: ${problems.map((each) => each.message).join('; ')}`);
  return zone;
}
