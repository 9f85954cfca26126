// read-client-zones.ts -- `dns.clientZones`: which networks are in which zone

import type { IpPrefix } from '../base/ip.ts';
import type { InputObject } from '../registry/input.ts';
import { readNetworks, shorten } from '../registry/input-forms.ts';
import type { DnsConfig } from './config.ts';

const MAX_ZONES = 256;
/** As long as the zone of an instance may be. */
const MAX_ZONE_LENGTH = 128;

/** Every key is a zone, its value the networks in it. The same network in two zones is an error. */
export function readClientZones(input: InputObject): DnsConfig['clientZones'] {
  const names = input.keys();
  const zones: { zone: string; networks: readonly IpPrefix[] }[] = [];
  const places = new Map<string, string>();
  if (names.length > MAX_ZONES) input.fail('', `has ${names.length} zones (at most ${MAX_ZONES})`);
  for (const name of names) {
    if (name === '' || name.length > MAX_ZONE_LENGTH) {
      input.fail('', `has a zone '${shorten(name)}', whose name must have 1 to ${MAX_ZONE_LENGTH} characters`);
      continue;
    }
    const networks = readNetworks(input, name) ?? [];
    const twin = zones.find(({ zone }) => zone.toLowerCase() === name.toLowerCase());
    if (twin !== undefined) input.fail(name, `is the zone '${twin.zone}' in other letters`);
    for (const { bytes, length } of networks) {
      const key = `${bytes.join('.')}/${length}`;
      const other = places.get(key);
      if (other !== undefined)
        input.fail(name, `has a network that ${other === name ? 'stands twice' : `is in '${other}' too`}`);
      places.set(key, name);
    }
    zones.push({ zone: name, networks });
  }
  return zones;
}
