// model.test.ts -- every name of random registries, against a list of them made the long way (contract section 2)
//
// The model lists all names that instances make, with their records, by going through all combinations; the nameserver
// never does. Names that the model does not list, nor have listed names below them, must not exist.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { formatRcode, formatType } from '../../src/dns/codes.ts';
import { formatRdata } from '../../src/dns/rdata/rdata.ts';
import { NameServer } from '../support/name-server.ts';

const ROUNDS = 30;
const TYPES = ['A', 'AAAA', 'SRV', 'TXT', 'SVCB', 'HTTPS', 'PTR', 'CNAME', 'MX'];
/** As they stand in names: one holds a dot, one looks like a part of other names. */
const IDS = ['i0', 'I1', 'i2\\.y', '_sub', 'i-4', 'i5'];
const SERVICES = ['web', 'db', 'v1', 'tcp', 'http'];
const TAGS = ['v1', 'v2', 'eu', 'web', 'http'];
const PORTS = ['http', 'stats', 'web', 'https'];
const METADATA: readonly Readonly<Record<string, string>>[] = [{}, { k: '0' }, { k: '1' }, { alpn: 'h2,http/1.1' }];
const ADDRESSES = ['10.0.0.1', '10.0.0.2', '2001:db8::1', 'a.elsewhere.example', 'b.elsewhere.example'];
const LABELS = ['10-0-0-1', '10-0-0-2', '2001-db8-0-0-0-0-0-1'];

interface Entry {
  readonly id: string;
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly tags: readonly string[];
  readonly ports: Readonly<Record<string, { port: number; proto: 'tcp' | 'udp' }>>;
  readonly meta: Readonly<Record<string, string>>;
  readonly isDown: boolean;
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)]!;
}

function makeEntry(random: Random, id: string): Entry {
  const some = <T>(from: readonly T[]) => from.filter(() => random.below(2) === 0);
  const proto = () => pick(random, ['tcp', 'udp'] as const);
  return {
    id,
    service: pick(random, SERVICES),
    address: pick(random, ADDRESSES),
    port: 80 + random.below(2),
    tags: some(TAGS),
    ports: Object.fromEntries(some(PORTS).map((name) => [name, { port: 90 + random.below(2), proto: proto() }])),
    meta: pick(random, METADATA),
    isDown: random.below(3) === 0,
  };
}

/** Names to types to sets of RDATA text. */
type Model = Map<string, Map<string, Set<string>>>;

function isHost(address: string): boolean {
  return address.includes('elsewhere');
}

function targetOf(address: string): string {
  const at = ADDRESSES.indexOf(address);
  return isHost(address) ? `${address}.` : `${LABELS[at]}.addr.service.local.`;
}

function makeModel(entries: readonly Entry[], policies: readonly string[]): Model {
  const model: Model = new Map();
  const add = (name: string, type?: string, rdata?: string): void => {
    const types = model.get(name) ?? new Map<string, Set<string>>();
    model.set(name, types);
    if (type === undefined || rdata === undefined) return;
    types.set(type, (types.get(type) ?? new Set()).add(rdata));
  };
  const addPool = (name: string, pool: readonly Entry[], types: string): void => {
    add(name);
    for (const { address, port, ports, meta } of pool.filter(({ isDown }) => !isDown)) {
      if (types.includes('A') && !isHost(address)) add(name, address.includes(':') ? 'AAAA' : 'A', address);
      if (types.includes('S')) add(name, 'SRV', `0 1 ${port} ${targetOf(address)}`);
      if (types.includes('T') && Object.keys(meta).length > 0) add(name, 'TXT', metadataText(meta));
      if (!types.includes('B')) continue;
      add(name, 'SVCB', bindingText(address, port, meta));
      const https = ports.https?.proto === 'tcp' ? ports.https.port : meta.alpn === undefined ? undefined : port;
      if (https !== undefined) add(name, 'HTTPS', bindingText(address, https, meta));
    }
  };
  for (const service of new Set([...entries.map((entry) => entry.service), ...policies])) {
    const all = entries.filter((entry) => entry.service === service);
    const hosts = new Set(all.map(({ address }) => address));
    const [host] = hosts;
    const isAlias = hosts.size === 1 && isHost(host!) && all.some(({ isDown }) => !isDown);
    if (isAlias) add(service, 'CNAME', `${host}.`);
    else addPool(service, all, 'ASTB');
    addPool(`_${service}._tcp`, all, 'S');
    addPool(`_${service}._udp`, all, 'S');
    for (const tags of sequences(TAGS, 4)) {
      const having = all.filter((entry) => tags.every((tag) => entry.tags.includes(tag)));
      if (having.length === 0) continue;
      addPool(`${tags.join('.')}.${service}`, having, 'ASTB');
      if (tags.length === 1) addPool(`_${service}._${tags[0]}`, having, 'S');
    }
    for (const { ports, address, isDown } of all) {
      for (const [name, { port, proto }] of Object.entries(ports)) {
        const owner = `_${name}._${proto}.${service}`;
        add(owner);
        if (!isDown) add(owner, 'SRV', `0 1 ${port} ${targetOf(address)}`);
      }
    }
  }
  for (const { address } of entries) {
    if (isHost(address)) continue;
    add(targetOf(address).replace('.service.local.', ''), address.includes(':') ? 'AAAA' : 'A', address);
  }
  addDiscovery(entries, add);
  return model;
}

function addDiscovery(entries: readonly Entry[], add: (name: string, type?: string, rdata?: string) => void): void {
  for (const name of ['b', 'db', 'lb']) add(`${name}._dns-sd._udp`, 'PTR', 'service.local.');
  add('_services._dns-sd._udp');
  for (const { id, service, address, port, ports, tags, meta, isDown } of entries) {
    const types = Object.entries(ports).map(([name, named]) => ({ name, ...named }));
    if (ports[service]?.proto !== 'tcp') types.push({ name: service, port, proto: 'tcp' });
    for (const each of types) {
      const type = `_${each.name}._${each.proto}`;
      const instance = `${id}.${type}`;
      const lists = [type, ...tags.map((tag) => `_${tag}._sub.${type}`)];
      for (const name of [instance, ...lists]) add(name);
      if (isDown) continue;
      add('_services._dns-sd._udp', 'PTR', `${type}.service.local.`);
      for (const list of lists) add(list, 'PTR', `${instance}.service.local.`);
      add(instance, 'SRV', `0 1 ${each.port} ${targetOf(address)}`);
      add(instance, 'TXT', metadataText(meta));
    }
  }
}

function metadataText(meta: Entry['meta']): string {
  const pairs = Object.entries(meta).map(([key, value]) => `"${key}=${value}"`);
  return pairs.length === 0 ? '""' : pairs.join(' ');
}

function bindingText(address: string, port: number, meta: Entry['meta']): string {
  const alpn = meta.alpn === undefined ? '' : `alpn="${meta.alpn}" `;
  const hint = isHost(address) ? '' : ` ipv${address.includes(':') ? 6 : 4}hint=${address}`;
  return `1 ${targetOf(address)} ${alpn}port=${port}${hint}`;
}

/** All sequences of 1 to `length` words; a tag said twice is the same tag. */
function sequences(words: readonly string[], length: number): string[][] {
  if (length === 0) return [];
  const shorter = [[], ...sequences(words, length - 1)];
  return words.flatMap((word) => shorter.map((rest) => [word, ...rest]));
}

function checkName(server: NameServer, model: Model, name: string): void {
  const types = model.get(name);
  const alias = types?.get('CNAME');
  const exists = types !== undefined || [...model.keys()].some((other) => other.endsWith(`.${name}`));
  for (const type of TYPES) {
    const reply = server.ask(`${name}.service.local. ${type}`, { transport: 'tcp' });
    const question = `${name} ${type}`;
    assert.equal(formatRcode(reply.rcode), exists ? 'NOERROR' : 'NXDOMAIN', question);
    const got = reply.answers.map((record) => `${formatType(record.type)} ${formatRdata(record.type, record.rdata)}`);
    const expected =
      alias === undefined ? [...(types?.get(type) ?? [])].map((each) => `${type} ${each}`) : [`CNAME ${[...alias][0]}`];
    assert.deepEqual(got.sort(), expected.sort(), question);
    assert.equal(reply.authorities.length, expected.length === 0 ? 1 : 0, question);
  }
}

function madeUpName(random: Random): string {
  const words = [
    ...SERVICES,
    ...TAGS,
    ...SERVICES.map((each) => `_${each}`),
    '_tcp',
    '_udp',
    '_stats',
    '_eu',
    'addr',
    ...LABELS,
    ...IDS,
    '_v1',
    '_dns-sd',
    '_services',
    'lb',
    'x',
    '_',
    '*',
  ];
  return Array.from({ length: 1 + random.below(5) }, () => pick(random, words)).join('.');
}

describe('the names of a registry', () => {
  it('are those that the contract lists, after every change', async () => {
    let names = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const random = seededRandom(round);
      const server = await NameServer.open({ domains: [{ name: 'service.local', maxAnswers: 1000 }] });
      const entries = new Map<string, Entry>();
      const policies = random.below(2) === 0 ? ['db'] : [];
      for (const service of policies) await server.setPolicy(service, { ttl: '9s' });
      // Registered, replaced, moved from service to service and taken out while questions are asked in between.
      for (let step = 0; step < 12; step++) {
        const stated = pick(random, IDS);
        const id = stated.replaceAll('\\', '');
        if (entries.has(id) && random.below(3) === 0) {
          await server.registry.deregister(id);
          entries.delete(id);
        } else {
          const entry = makeEntry(random, stated);
          if (entries.has(id) && entries.get(id)!.service !== entry.service) await server.registry.deregister(id);
          const { id: _, service, isDown, ...instance } = entry;
          await server.register(service, id, instance);
          await server.registry.setDraining(id, isDown);
          entries.set(id, entry);
        }
        const model = makeModel([...entries.values()], policies);
        const listed = [...model.keys()];
        const some = step === 11 ? listed : listed.filter(() => random.below(20) === 0);
        for (const name of [...some, ...Array.from({ length: 15 }, () => madeUpName(random))]) {
          checkName(server, model, name);
          names++;
        }
      }
      assert.deepEqual(server.failures, []);
    }
    assert.ok(names > 5_000, `${names}`);
  });
});
