// routing.ts -- clients, members and services for tests of routing

import assert from 'node:assert/strict';
import { parseIp, parsePrefix } from '../../src/base/ip.ts';
import { writeAddress } from '../../src/nameserver/client.ts';
import type { Status } from '../../src/registry/instance.ts';
import type { AnsweringService, Member } from '../../src/registry/member.ts';
import type { Policy } from '../../src/registry/policy.ts';
import { type ClientNetwork, hashClient } from '../../src/routing/client-hash.ts';
import type { Asker, Turns } from '../../src/routing/route.ts';
import { anInstance } from './registrations.ts';

/** A client by its address, or by a prefix: then the rest is not known. */
export function clientAt(text: string): ClientNetwork {
  const prefix = parsePrefix(text);
  assert.ok(prefix, `not an address: ${text}`);
  const octets = new Uint8Array(16);
  writeAddress(prefix.bytes, octets);
  return { octets: () => octets, knownBits: prefix.length + (prefix.family === 4 ? 96 : 0) };
}

/** The same as somebody who asks. */
export function askerAt(text: string): Asker {
  const client = clientAt(text);
  return { ...client, client: hashClient(client.octets()) };
}

/** The `count`-th client from 10.0.0.0 on. */
export function askerNumber(count: number): Asker {
  const octets = parseIp('::ffff:10.0.0.0')!.bytes;
  const whole = new Uint8Array(16);
  writeAddress(octets, whole);
  new DataView(whole.buffer).setUint32(12, 0x0a000000 + count);
  return { octets: () => whole, knownBits: 128, client: hashClient(whole) };
}

/** Turns that count up from 0, and how many were taken. */
export function countingTurns(): Turns & { taken: number } {
  return {
    taken: 0,
    next() {
      return this.taken++;
    },
  };
}

const STATUS_BY_LETTER: Readonly<Record<string, Status>> = {
  h: 'healthy',
  w: 'warning',
  u: 'unhealthy',
  p: 'pending',
  d: 'draining',
  m: 'maintenance',
};

/**
 * Members from words like `a/h` or `a*0/h/v2,eu@east/10.0.0.1`: id, weight, letter of the status, tags, zone, address.
 */
export function membersFrom(text: string): Member[] {
  return text.split(' ').map((word, i) => {
    const [name, letter, rest = '', address = `10.0.0.${i + 1}`] = word.split('/');
    const [id, weight = '1'] = name!.split('*');
    const [tags, zone] = rest.split('@');
    const status = STATUS_BY_LETTER[letter!]!;
    const parts = { id: id!, weight: Number(weight), address, tags: tags === '' ? [] : tags!.split(',') };
    return { instance: anInstance(zone === undefined ? parts : { ...parts, zone }), status };
  });
}

/** A service of such members. */
export function serviceFrom(text: string, policy: Policy | undefined, name = 'web'): AnsweringService {
  const members = text === '' ? [] : membersFrom(text);
  return { name, policy, instances: new Map(members.map((member) => [member.instance.id, member])) };
}

/** The ids of members. */
export function idsOf(members: readonly Member[]): string {
  return members.map(({ instance }) => instance.id).join(' ');
}
