// name-server.ts -- a whole nameserver without sockets: zones, a registry in memory, and the one door to ask at
//
// Joined as server.ts joins them, on a clock that stands still and with seeded chance, so every answer is repeatable.

import assert from 'node:assert/strict';
import { formatProblem } from '../../src/base/errors.ts';
import { ipFromBytes, parseNetwork, parsePrefix } from '../../src/base/ip.ts';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { CLASS, EDNS_OPTION, formatRcode, parseClass, parseType } from '../../src/dns/codes.ts';
import type { Edns } from '../../src/dns/edns.ts';
import { FLAG } from '../../src/dns/header.ts';
import { decodeMessage, encodeMessage, type Message, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { formatRecord, parseRecord } from '../../src/dns/presentation.ts';
import type { ResourceRecord } from '../../src/dns/rrset.ts';
import type { Outcome } from '../../src/health/check-spec.ts';
import { buildView, type ViewPlan } from '../../src/nameserver/build-view.ts';
import { AddressClient } from '../../src/nameserver/client.ts';
import { Cursors, createCursorMemory } from '../../src/nameserver/cursors.ts';
import type { DomainSettings } from '../../src/nameserver/domain-names.ts';
import { NameIndex } from '../../src/nameserver/name-index.ts';
import { QueryHandler } from '../../src/nameserver/query.ts';
import { QueryCounters, type Transport } from '../../src/nameserver/query-counters.ts';
import { DEFAULT_QUERY_SETTINGS, type QuerySettings } from '../../src/nameserver/query-settings.ts';
import { createRateLimitMemory } from '../../src/nameserver/rate-limit.ts';
import type { ServedZone } from '../../src/nameserver/view.ts';
import { View } from '../../src/nameserver/view.ts';
import { Registry } from '../../src/registry/registry.ts';
import { readInstance } from '../../src/registry/validate-instance.ts';
import { readPolicy } from '../../src/registry/validate-policy.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { buildZone } from '../../src/zone/build-zone.ts';
import { readMasterFile } from '../../src/zone/master-file.ts';
import type { Zone } from '../../src/zone/zone.ts';
import { FakeClock } from './fake-clock.ts';

/** A domain; what is left out is 5 s, 5 s and 8. */
export type DomainText = { readonly name: string } & Partial<Omit<DomainSettings, 'apex'>>;

export interface NameServerOptions {
  /** Master-file texts. */
  readonly zones?: readonly string[];
  /** Default: `service.local`. */
  readonly domains?: readonly (DomainText | string)[];
  /** What differs from the defaults. */
  readonly settings?: Partial<QuerySettings>;
  readonly claimLocal?: boolean;
  /** Of zones that are no domain; default 5. */
  readonly negativeTtlSeconds?: number;
  readonly seed?: number;
  /** Networks whose EDNS client subnet is believed. */
  readonly clientSubnetFrom?: readonly string[];
  /** Networks whose addresses have names. */
  readonly reverse?: readonly string[];
  /** Networks by zone. */
  readonly clientZones?: Readonly<Record<string, readonly string[]>>;
}

/** How a question is put. */
export interface AskOptions {
  /** true: an OPT record of 1232 octets; a number: of that many. */
  readonly edns?: boolean | number | Partial<Edns>;
  readonly transport?: Transport;
  /** Address of who asks; default 127.0.0.1. */
  readonly client?: string;
  /** An EDNS client subnet, as a prefix. */
  readonly subnet?: string;
  readonly id?: number;
  /** The flags word; default RD only. */
  readonly flags?: number;
}

const CHECK_DEFAULTS = { intervalMs: 5000, timeoutMs: 2000, rise: 2, fall: 3, allowExec: false };

export class NameServer {
  readonly clock = new FakeClock();
  readonly counters = new QueryCounters();
  readonly index = new NameIndex();
  /** What the handler said should never happen. */
  readonly failures: unknown[] = [];
  readonly handler: QueryHandler;
  readonly domains: readonly string[];
  readonly #options: NameServerOptions;
  readonly #cursors = new Cursors(createCursorMemory(1 << 12));
  #registry: Registry | undefined;
  #plan: ViewPlan | undefined;
  #lastId = 0;

  private constructor(options: NameServerOptions) {
    this.#options = options;
    this.domains = domainsOf(options).map(({ name }) => name);
    this.handler = new QueryHandler(new View([]), {
      random: seededRandom(options.seed ?? 1),
      counters: this.counters,
      limits: { memory: createRateLimitMemory(), seed: 1 },
      settings: settingsOf(options),
      placeOf: () => 0,
      onFailure: (error) => this.failures.push(error),
    });
  }

  /** A server that has its zones but not its registry, as while it starts. */
  static unloaded(options: NameServerOptions = {}): NameServer {
    const server = new NameServer(options);
    server.setZones(options.zones ?? []);
    return server;
  }

  static async open(options: NameServerOptions = {}): Promise<NameServer> {
    const server = NameServer.unloaded(options);
    await server.load();
    return server;
  }

  /** Open the registry and answer from it. */
  async load(): Promise<void> {
    const registry = await Registry.open({ store: openMemoryStore(), clock: this.clock, log: silentLogger });
    this.#registry = registry;
    this.handler.state.serialOffset = registry.sequence;
    registry.onChange(({ kind, service, instance, before, sequence }) => {
      const touched = [service];
      if (instance !== undefined) {
        if (kind === 'deregister') this.index.remove(instance);
        else touched.push(...this.index.put(instance, before));
      }
      this.handler.state.serialOffset = sequence;
      for (const each of touched) this.handler.view.serviceChanged(each);
    });
    this.handler.state.isLoaded = true;
  }

  get registry(): Registry {
    assert.ok(this.#registry, 'the registry is not loaded');
    return this.#registry;
  }

  /** Serve other zone files, as a reload does. */
  setZones(texts: readonly string[]): void {
    const names = {
      index: this.index,
      cursors: this.#cursors,
      service: (name: string) => this.#registry?.service(name),
      serviceCount: () => this.#registry?.serviceCount ?? 0,
    };
    this.#plan = {
      zones: texts.map(zoneFromText),
      domains: domainsOf(this.#options).map(({ name, ...rest }) => ({ ...rest, apex: parseName(`${name}.`) })),
      negativeTtlSeconds: this.#options.negativeTtlSeconds ?? 5,
      serverAddresses: ['127.0.0.1'],
      claimLocal: this.#options.claimLocal ?? false,
      reverse: networks(this.#options.reverse),
      clientSubnetFrom: networks(this.#options.clientSubnetFrom),
      clientZones: Object.entries(this.#options.clientZones ?? {}).map(([zone, texts]) => ({
        zone,
        networks: networks(texts),
      })),
    };
    this.handler.setView(buildView(this.#plan, names), settingsOf(this.#options));
  }

  /** What its View was built by. */
  get plan(): ViewPlan {
    assert.ok(this.#plan, 'there is no View');
    return this.#plan;
  }

  get zones(): readonly ServedZone[] {
    return this.handler.view.zones;
  }

  /** Register as the API would, from the shape of its JSON. */
  async register(service: string, id: string, instance: object): Promise<void> {
    const rules = { checkDefaults: CHECK_DEFAULTS, domains: this.domains };
    await this.registry.register(readInstance(instance, { service, id }, rules));
  }

  /** Register `count` plain instances, `<service>-1` on at 10.0.x.y. */
  async registerMany(service: string, count: number, more: object = {}): Promise<void> {
    for (let i = 1; i <= count; i++) {
      const address = `10.0.${i >> 8}.${i & 255}`;
      await this.register(service, `${service}-${i}`, { address, port: 8080, ...more });
    }
  }

  async setPolicy(service: string, policy: object | undefined): Promise<void> {
    await this.registry.setPolicy(service, policy === undefined ? undefined : readPolicy(policy));
  }

  /** A check reports; without a name the instance's first one. */
  report(id: string, outcome: Outcome, check?: string): void {
    const checkId = check ?? this.registry.instance(id)?.instance.checks[0]?.id;
    assert.ok(checkId, `${id} has no check`);
    this.registry.reportResult(id, checkId, { outcome, output: '', latencyMs: 1 });
  }

  /** Octets in, octets out; undefined when there is no reply. */
  respond(query: Uint8Array, transport: Transport = 'udp', client = '127.0.0.1'): Uint8Array | undefined {
    // Not zero: whoever relies on a clean buffer shall be found out.
    const out = new Uint8Array(65535).fill(0xa5);
    const length = this.handler.respond(query, transport, out, new AddressClient(client));
    return length === 0 ? undefined : out.slice(0, length);
  }

  /** Ask `name [class] type` and read the reply strictly. Fails when there is none, or when it is not a reply to this. */
  ask(question: string, options: AskOptions = {}): Message {
    this.#lastId = (this.#lastId + 1) & 0xffff;
    const id = options.id ?? this.#lastId;
    const query = queryMessage(id, parseQuestion(question), ednsOf(options.edns, options.subnet));
    const octets = this.respond(
      encodeMessage({ ...query, flags: options.flags ?? FLAG.RD }),
      options.transport ?? 'udp',
      options.client,
    );
    assert.ok(octets, `no reply to ${question}`);
    assert.deepEqual(this.failures, []);
    const reply = decodeMessage(octets);
    assert.equal(reply.id, id);
    assert.ok((reply.flags & FLAG.QR) !== 0, 'QR is clear');
    return reply;
  }
}

function settingsOf({ settings }: NameServerOptions): QuerySettings {
  return { ...DEFAULT_QUERY_SETTINGS, ...settings };
}

function domainsOf(options: NameServerOptions) {
  return (options.domains ?? ['service.local']).map((each) => ({
    ttlSeconds: 5,
    negativeTtlSeconds: 5,
    maxAnswers: 8,
    ...(typeof each === 'string' ? { name: each } : each),
  }));
}

/** A zone of master-file text; warnings are let pass. */
export function zoneFromText(text: string): Zone {
  const { records, problems } = readMasterFile({ file: 'test.zone', text });
  const built = buildZone(records, 'test.zone');
  const errors = [...problems, ...built.problems].filter(({ severity }) => severity === 'error');
  assert.deepEqual(errors.map(formatProblem), []);
  return built.zone!;
}

/** `name [class] type`. */
export function parseQuestion(text: string): Message['questions'][number] {
  const words = text.trim().split(/\s+/);
  const type = parseType(words.at(-1)!);
  const questionClass = words.length === 3 ? parseClass(words[1]!) : CLASS.IN;
  assert.ok(type !== undefined && questionClass !== undefined, `not a question: ${text}`);
  return { name: parseName(words[0]!), type, class: questionClass };
}

function networks(texts: readonly string[] = []) {
  return texts.flatMap((text) => {
    const found = parseNetwork(text);
    assert.ok(found, `not a network: ${text}`);
    return found;
  });
}

/** An EDNS client subnet option (RFC 7871 section 6) of a prefix; host bits are the asker's to leave out. */
export function clientSubnetOption(text: string, scope = 0): { code: number; data: Uint8Array } {
  const prefix = parsePrefix(text);
  assert.ok(prefix, `not a network: ${text}`);
  const { family, bytes, length } = prefix;
  const data = [0, family === 4 ? 1 : 2, length, scope, ...bytes.subarray(0, Math.ceil(length / 8))];
  return { code: EDNS_OPTION.CLIENT_SUBNET, data: Uint8Array.from(data) };
}

function ednsOf(edns: AskOptions['edns'], subnet: string | undefined): Edns | undefined {
  if (subnet !== undefined) {
    const more = ednsOf(edns || true, undefined)!;
    return { ...more, options: [...more.options, clientSubnetOption(subnet)] };
  }
  if (edns === undefined || edns === false) return undefined;
  const plain: Edns = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };
  if (edns === true) return plain;
  return typeof edns === 'number' ? { ...plain, udpSize: edns } : { ...plain, ...edns };
}

/** Records as text, in the order of the message. */
export function texts(records: readonly ResourceRecord[]): string[] {
  return records.map(formatRecord);
}

/** Records written as master-file text, one a line, brought to the same form as `texts` gives. */
function recordTexts(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => formatRecord(parseRecord(line.trim())));
}

/** What a reply should hold; sections as master-file text, `''` for empty; left out: not looked at. */
export interface Expected {
  readonly rcode?: string;
  /** Flags that are set beside QR, as dig writes them: `aa rd`. */
  readonly flags?: string;
  readonly answer?: string;
  readonly authority?: string;
  readonly additional?: string;
  /** Section order matters too. */
  readonly inOrder?: boolean;
}

/** Compare a reply with what it should be. */
export function expectReply(reply: Message, expected: Expected): void {
  if (expected.rcode !== undefined) assert.equal(formatRcode(reply.rcode), expected.rcode);
  if (expected.flags !== undefined) assert.equal(flagWords(reply).slice(1).join(' '), expected.flags);
  for (const [section, records] of [
    ['answer', reply.answers],
    ['authority', reply.authorities],
    ['additional', reply.additionals],
  ] as const) {
    const wanted = expected[section];
    if (wanted === undefined) continue;
    const got = texts(records);
    const lines = recordTexts(wanted);
    assert.deepEqual(expected.inOrder ? got : got.sort(), expected.inOrder ? lines : lines.sort(), section);
  }
}

const FLAG_WORDS: readonly (readonly [string, number])[] = [
  ['qr', FLAG.QR],
  ['aa', FLAG.AA],
  ['tc', FLAG.TC],
  ['rd', FLAG.RD],
  ['ra', FLAG.RA],
  ['z', 0x40],
  ['ad', FLAG.AD],
  ['cd', FLAG.CD],
];

/** The flags of a message in the order of their bits, as dig prints them. */
export function flagWords(message: Message): string[] {
  return FLAG_WORDS.filter(([, bit]) => (message.flags & bit) !== 0).map(([word]) => word);
}

/** The extended error (RFC 8914) of a reply: code and text. */
export function extendedError(reply: Message): { code: number; text: string } | undefined {
  const option = reply.edns?.options.find(({ code }) => code === EDNS_OPTION.EXTENDED_ERROR);
  if (option === undefined) return undefined;
  const data = Buffer.from(option.data);
  return { code: data.readUInt16BE(0), text: data.subarray(2).toString() };
}

/** The client subnet of a reply as dig writes it: address/source/scope. */
export function clientSubnet(reply: Message): string | undefined {
  const option = reply.edns?.options.find(({ code }) => code === EDNS_OPTION.CLIENT_SUBNET);
  if (option === undefined) return undefined;
  const [, family, source, scope, ...told] = option.data;
  const octets = new Uint8Array(family === 1 ? 4 : 16);
  octets.set(told);
  return `${ipFromBytes(octets).text}/${source}/${scope}`;
}

/** A reply as an operator would read it. */
export function formatReply(reply: Message): string[] {
  const lines = [`${formatRcode(reply.rcode)}; flags: ${flagWords(reply).join(' ')}`];
  if (reply.edns !== undefined) {
    const { version, dnssecOk, udpSize } = reply.edns;
    const error = extendedError(reply);
    const subnet = clientSubnet(reply);
    const told =
      (subnet === undefined ? '' : `; client subnet: ${subnet}`) +
      (error === undefined ? '' : `; EDE: ${error.code} (${error.text})`);
    lines.push(`EDNS: version ${version}; flags:${dnssecOk ? ' do' : ''}; udp: ${udpSize}${told}`);
  }
  for (const [title, records] of [
    ['ANSWER', reply.answers],
    ['AUTHORITY', reply.authorities],
    ['ADDITIONAL', reply.additionals],
  ] as const) {
    if (records.length > 0) lines.push(`${title}:`, ...texts(records).map((text) => `  ${text}`));
  }
  return lines;
}
