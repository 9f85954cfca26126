// listed-names.ts -- the names that the registry makes, one after the other, for those who want them all
//
// Names of several tags are left out: they are all combinations of up to four of them, in any order.

import { parseIp } from '../base/ip.ts';
import { foldedLabels, labelCount, type Name, parseName } from '../dns/name.ts';
import type { AnsweringInstance } from '../registry/member.ts';
import { addressLabel } from './address-label.ts';
import { foldLabel, instanceLabel } from './instance-label.ts';
import type { RegistrySnapshot } from './registry-snapshot.ts';
import { isTypeOf, type ServiceType } from './service-types.ts';

const PROTOCOLS = ['tcp', 'udp'] as const;
const BROWSING = ['_services', 'b', 'db', 'lb'];

/** Every name below a domain that has records, by its labels in front of the apex, leftmost first. Each once. */
export function* namesOfDomain(snapshot: RegistrySnapshot): Generator<readonly string[], void> {
  const told = new Set<string>();
  const isNew = (labels: readonly string[]): boolean => {
    const key = labels.join(' ');
    return !told.has(key) && told.add(key) !== undefined;
  };
  for (const label of BROWSING) yield [label, '_dns-sd', '_udp'];
  for (const { name, instances } of snapshot.services()) {
    yield [name];
    for (const proto of PROTOCOLS) if (isNew([`_${name}`, `_${proto}`])) yield [`_${name}`, `_${proto}`];
    const own = new Set<string>();
    for (const { instance } of instances.values()) {
      for (const labels of namesOfInstance(instance)) {
        const key = labels.join(' ');
        if (own.has(key)) continue;
        own.add(key);
        // What ends in the service's name, or begins with it, no other service has.
        if (labels.at(-1) === name || isNew(labels)) yield labels;
      }
    }
  }
}

function* namesOfInstance(instance: AnsweringInstance): Generator<readonly string[]> {
  const { service, tags, ports, address } = instance;
  const ip = parseIp(address);
  if (ip !== undefined) yield [addressLabel(ip), 'addr'];
  for (const tag of tags) {
    yield [tag, service];
    yield [`_${service}`, `_${tag}`];
  }
  const types: ServiceType[] = Object.entries(ports).map(([name, { proto }]) => ({ name, proto }));
  for (const { name, proto } of types) yield [`_${name}`, `_${proto}`, service];
  const main: ServiceType = { name: service, proto: 'tcp' };
  if (isTypeOf(service, main) && ports[service]?.proto !== 'tcp') types.push(main);
  const label = foldLabel(instanceLabel(instance));
  for (const { name, proto } of types) {
    yield [`_${name}`, `_${proto}`];
    yield [label, `_${name}`, `_${proto}`];
    for (const tag of tags) yield [`_${tag}`, '_sub', `_${name}`, `_${proto}`];
  }
}

/** The names of all addresses that lie in a reverse zone, whether or not the zone speaks for them. */
export function* namesOfReverseZone(apex: Name, snapshot: RegistrySnapshot): Generator<readonly string[], void> {
  const above = foldedLabels(apex);
  const told = new Set<string>();
  for (const { instances } of snapshot.services()) {
    for (const { instance } of instances.values()) {
      if (told.has(instance.address)) continue;
      told.add(instance.address);
      const ip = parseIp(instance.address);
      if (ip === undefined) continue;
      const labels = foldedLabels(parseName(reverseText(ip.bytes)));
      const own = labels.length - labelCount(apex);
      if (own >= 0 && above.every((label, i) => labels[own + i] === label)) yield labels.slice(0, own);
    }
  }
}

function reverseText(bytes: Uint8Array): string {
  const parts = bytes.length === 4 ? Array.from(bytes, String) : [...Buffer.from(bytes).toString('hex')];
  return `${parts.reverse().join('.')}.${bytes.length === 4 ? 'in-addr' : 'ip6'}.arpa.`;
}
