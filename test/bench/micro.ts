// micro.ts -- what one query costs without sockets: reading it, and answering it (npm run bench -- --micro)
//
// A first micro-benchmark: in one process, without sockets. Numbers are for comparing one change with the next on the
// same machine, not for comparing machines.

import { STRATEGIES } from '../../src/balance/strategies.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { parseType, RCODE } from '../../src/dns/codes.ts';
import { decodeMessage, encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { readRequest } from '../../src/dns/request.ts';
import { buildView } from '../../src/nameserver/build-view.ts';
import { AddressClient } from '../../src/nameserver/client.ts';
import { Cursors, createCursorMemory } from '../../src/nameserver/cursors.ts';
import { NameIndex } from '../../src/nameserver/name-index.ts';
import { QueryHandler } from '../../src/nameserver/query.ts';
import { QueryCounters } from '../../src/nameserver/query-counters.ts';
import { DEFAULT_QUERY_SETTINGS } from '../../src/nameserver/query-settings.ts';
import type { Instance } from '../../src/registry/instance.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';

const SERVICES = 1000;
const INSTANCES = 5;
const ROUNDS = 5;
const ROUND_MS = 400;

const CLIENT = new AddressClient('127.0.0.1');
const EDNS = { udpSize: 1232, extendedRcode: 0, version: 0, dnssecOk: false, options: [] };

interface Case {
  readonly name: string;
  readonly run: (turn: number) => void;
}

/** As dig sends it. */
const WITH_COOKIE = { ...EDNS, options: [{ code: 10, data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) }] };

function query(name: string, type: string, edns: boolean | typeof WITH_COOKIE = false): Uint8Array {
  const question = { name: parseName(name), type: parseType(type)!, class: 1 };
  return encodeMessage(queryMessage(1, question, edns === true ? EDNS : edns || undefined));
}

async function handlerWithServices(): Promise<QueryHandler> {
  const registry = await Registry.open({ store: openMemoryStore(silentLogger), clock: systemClock, log: silentLogger });
  const index = new NameIndex();
  registry.onChange(({ instance, before }) => instance !== undefined && index.put(instance, before));
  for (let s = 0; s < SERVICES; s++) {
    for (let i = 0; i < INSTANCES; i++) await registry.register(instance(s, i));
  }
  const domain = { apex: parseName('service.local.'), ttlSeconds: 5, negativeTtlSeconds: 5, maxAnswers: 8 };
  const view = buildView(
    { zones: [], domains: [domain], negativeTtlSeconds: 5, serverAddresses: ['127.0.0.1'], claimLocal: true },
    {
      index,
      cursors: new Cursors(createCursorMemory()),
      service: (name) => registry.service(name),
      serviceCount: () => registry.serviceCount,
    },
  );
  const onFailure = (error: unknown): never => {
    throw error;
  };
  const options = {
    random: systemRandom,
    counters: new QueryCounters(),
    settings: { ...DEFAULT_QUERY_SETTINGS, cookieSecrets: ['000102030405060708090a0b0c0d0e0f'] },
    placeOf: () => 0,
    onFailure,
  };
  const handler = new QueryHandler(view, options);
  handler.state.isLoaded = true;
  return handler;
}

function instance(service: number, number: number): Instance {
  return {
    id: `svc-${service}-${number}`,
    service: `svc-${service}`,
    address: `10.${service >> 8}.${service & 255}.${number + 1}`,
    port: 8080,
    ports: {},
    tags: ['v1'],
    meta: {},
    weight: 1,
    checks: [],
  };
}

/** Draws of eight out of 5,000 by each strategy, for clients that asked before and for new ones. */
function draws(): Case[] {
  const candidates = Array.from({ length: 5000 }, (_, i) => ({
    key: `10.7.${i >> 8}.${i & 255}`,
    weight: 1 + (i % 10),
  }));
  const order = new Uint16Array(8);
  const state = { turn: 0, random: systemRandom, client: 0 };
  return Object.entries(STRATEGIES).flatMap(([name, strategy]) => {
    const plan = strategy(candidates, { limit: 8 });
    const draw = (what: string, clients: number): Case => ({
      name: `draw 8 of 5,000: ${name}${what}`,
      run: (turn) => {
        state.turn = turn;
        state.client = Math.imul(turn % clients, 0x9e3779b1) >>> 0;
        plan.draw(8, state, order);
      },
    });
    const known = draw('', 1000);
    return name === 'hash' || name === 'subset' ? [known, draw(', new clients', 2 ** 31)] : [known];
  });
}

/** Microseconds of CPU per call: the median of some rounds, and how far they lie apart. */
function measure(each: Case): { medianUs: number; spreadUs: number } {
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const before = process.cpuUsage();
    const until = performance.now() + ROUND_MS;
    let calls = 0;
    while (performance.now() < until) for (let i = 0; i < 500; i++) each.run(calls++);
    const { user, system } = process.cpuUsage(before);
    // The first round warms up.
    if (round > 0) rounds.push((user + system) / calls);
  }
  rounds.sort((a, b) => a - b);
  return { medianUs: rounds[rounds.length >> 1]!, spreadUs: rounds.at(-1)! - rounds[0]! };
}

async function cases(): Promise<Case[]> {
  const handler = await handlerWithServices();
  const out = new Uint8Array(65535);
  const prepare = (type: string, name: (s: number) => string, edns?: Parameters<typeof query>[2]): Uint8Array[] =>
    Array.from({ length: SERVICES }, (_, s) => query(name(s), type, edns));
  const answer = (name: string, queries: Uint8Array[], rcode: number): Case => {
    const length = handler.respond(queries[0]!, 'udp', out, CLIENT);
    const got = decodeMessage(out.subarray(0, length)).rcode;
    if (got !== rcode) throw new Error(`${name}: rcode ${got} instead of ${rcode}`);
    return { name, run: (turn) => void handler.respond(queries[turn % queries.length]!, 'udp', out, CLIENT) };
  };
  const plain = query('svc-1.service.local.', 'A');
  const withEdns = query('svc-1.service.local.', 'A', true);
  const srv = out.slice(0, handler.respond(query('svc-1.service.local.', 'SRV', true), 'udp', out, CLIENT));
  return [
    { name: 'read a query', run: () => void readRequest(plain) },
    { name: 'read a query with EDNS', run: () => void readRequest(withEdns) },
    { name: 'decode a reply of 5 SRV + 5 A', run: () => void decodeMessage(srv) },
    answer(
      'answer A (5 addresses)',
      prepare('A', (s) => `svc-${s}.service.local.`),
      RCODE.NOERROR,
    ),
    answer(
      'answer A with EDNS',
      prepare('A', (s) => `svc-${s}.service.local.`, true),
      RCODE.NOERROR,
    ),
    answer(
      'answer A with a cookie',
      prepare('A', (s) => `svc-${s}.service.local.`, WITH_COOKIE),
      RCODE.NOERROR,
    ),
    answer(
      'answer SRV (5 SRV + 5 A)',
      prepare('SRV', (s) => `svc-${s}.service.local.`, true),
      RCODE.NOERROR,
    ),
    answer(
      'answer A of a tag',
      prepare('A', (s) => `v1.svc-${s}.service.local.`),
      RCODE.NOERROR,
    ),
    answer(
      'answer AAAA (NODATA)',
      prepare('AAAA', (s) => `svc-${s}.service.local.`),
      RCODE.NOERROR,
    ),
    answer(
      'answer NXDOMAIN',
      prepare('A', (s) => `nobody-${s}.service.local.`),
      RCODE.NXDOMAIN,
    ),
    answer(
      'refuse a foreign name',
      prepare('A', (s) => `host-${s}.example.com.`),
      RCODE.REFUSED,
    ),
    ...draws(),
  ];
}

const isTerminal = process.stderr.isTTY === true;
const rows: string[] = [];
const all = await cases();
for (const [number, each] of all.entries()) {
  if (isTerminal) process.stderr.write(`\r\x1b[K${number + 1}/${all.length} ${each.name}`);
  const { medianUs, spreadUs } = measure(each);
  rows.push(`| ${each.name} | ${medianUs.toFixed(2)} | ${spreadUs.toFixed(2)} |`);
}
if (isTerminal) process.stderr.write('\r\x1b[K');
console.log(`Node ${process.version}, ${SERVICES} services x ${INSTANCES} instances, median of ${ROUNDS} rounds\n`);
console.log(['| what | CPU us | spread us |', '|---|---|---|', ...rows].join('\n'));
