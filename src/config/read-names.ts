// read-names.ts -- `dns.reverse` and `dns.chaos`: names beside those of zones and domains

import type { IpPrefix } from '../base/ip.ts';
import { type ChaosTexts, MAX_CHAOS_TEXT } from '../nameserver/chaos-names.ts';
import { reverseApexes, widest } from '../nameserver/reverse-names.ts';
import type { InputObject } from '../registry/input.ts';
import { readNetworks } from '../registry/input-forms.ts';

/** Each has a SOA of its own, which every change of the registry touches. */
const MAX_REVERSE_ZONES = 1024;

/** Networks whose addresses have names; their names lead into the first of the domains. */
export function readReverse(input: InputObject, domains: number): readonly IpPrefix[] {
  const networks = widest(readNetworks(input, 'reverse') ?? []);
  if (networks.length > 0 && domains === 0) input.fail('reverse', 'needs a domain that the names of addresses lead to');
  let zones = 0;
  for (const network of networks) zones += reverseApexes(network).length;
  if (zones <= MAX_REVERSE_ZONES) return networks;
  const why = 'a network that ends inside a label is many';
  return input.fail('reverse', `comes to ${zones} zones (at most ${MAX_REVERSE_ZONES}); ${why}`) ?? [];
}

/** True: everything, in the server's own words. */
export function readChaos(input: InputObject): boolean | ChaosTexts {
  const value = input.raw('chaos');
  if (typeof value !== 'object' || value === null) return input.boolean('chaos') ?? false;
  const object = input.object('chaos');
  if (object === undefined) return false;
  const version = readText(object, 'version');
  const id = readText(object, 'id');
  object.finish();
  return { ...(version === undefined ? {} : { version }), ...(id === undefined ? {} : { id }) };
}

function readText(input: InputObject, key: string): string | undefined {
  const text = input.text(key, MAX_CHAOS_TEXT);
  if (text === undefined || Buffer.byteLength(text) <= MAX_CHAOS_TEXT) return text;
  return input.fail(key, `has more than ${MAX_CHAOS_TEXT} octets`);
}
