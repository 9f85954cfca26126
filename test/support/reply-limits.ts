// reply-limits.ts -- floods without cookies from one network against a server that limits replies, and who else asks

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { decodeMessage } from '../../src/dns/message.ts';
import type { Address, BuiltServer } from './built-server.ts';
import { cookieOf } from './cookies.ts';
import { type FloodReport, hosts, startFlood } from './flood.ts';
import { HonestProbe, type ProbeReport } from './honest-probe.ts';
import { queryOctets } from './query-text.ts';
import { HONEST_QUESTION, startSiegeServer } from './siege-server.ts';

/** Equal replies a second to one network. */
export const LIMIT = 200;
const FLOODING_HOSTS = 20;
const PROBES_PER_SECOND = 40;
const CLIENT_COOKIE = '0102030405060708';
const PATIENCE_MS = 5000;

/** What floods ask, and whether equal replies are what holds them (else the octets do). */
export const FLOODS: Readonly<Record<string, { questions: readonly string[]; isOneReply: boolean }>> = {
  'one name': { questions: ['big.example.test. TXT'], isOneReply: true },
  'one name, EDNS': { questions: ['web.service.local. SRV edns size=4096'], isOneReply: true },
  'ANY of one name': { questions: ['example.test. ANY edns size=4096'], isOneReply: true },
  'names that do not exist': {
    questions: ['xxxxxxxxxxxx.service.local. A edns', 'xxxxxxxxxxxx.example.test. A'],
    isOneReply: true,
  },
  'names below a wildcard': {
    questions: ['xxxxxxxxxxxx.wild.example.test. A', 'xxxxxxxxxxxx.wild.example.test. A edns'],
    isOneReply: false,
  },
  'many names and types': {
    questions: [
      'web.service.local. A edns size=4096',
      '_web._tcp.service.local. SRV edns size=4096',
      'v1.web.service.local. SRV edns',
      'big.example.test. TXT edns',
      'example.test. ANY',
      'web.service.local. ANY',
      'cart-service.service.local. SRV',
      'service.local. SOA',
    ],
    isOneReply: false,
  },
};

export interface LimitedFlood {
  readonly name: string;
  readonly isOneReply: boolean;
  readonly flood: FloodReport;
  /** Clients in other networks. */
  readonly neighbours: ProbeReport;
  /** A client in the flooding network that has a cookie. */
  readonly withCookie: ProbeReport;
}

interface Scope {
  after(cleanup: () => unknown): void;
}

/** A server that limits loopback as well. */
export function startLimitingServer(scope: Scope): Promise<BuiltServer> {
  return startSiegeServer(scope, { rateLimit: { responsesPerSecond: LIMIT, exempt: [] } });
}

/** One flood from 127.9.`network`.0/24. */
export async function floodLimited(
  scope: Scope,
  server: BuiltServer,
  options: { name: string; network: number; perSecond: number; seconds: number },
): Promise<LimitedFlood> {
  const { name, network, perSecond, seconds } = options;
  const { questions, isOneReply } = FLOODS[name]!;
  const prefix = `127.9.${network}`;
  const cookie = await cookieFor(server.dns, `${prefix}.201`);
  const start = (source: string, question: string): Promise<HonestProbe> =>
    HonestProbe.start({ server: server.dns, source, questions: [question], perSecond: PROBES_PER_SECOND });
  const neighbours = [
    await start(`127.10.${network}.1`, HONEST_QUESTION),
    await start(`127.9.${network + 100}.1`, 'cart-service.service.local. A'),
  ];
  const insider = await start(`${prefix}.201`, `cart-service.service.local. A opt=10:${cookie}`);
  const crew = await startFlood(scope, {
    server: server.dns,
    sources: hosts(prefix, FLOODING_HOSTS),
    questions,
    perSecond,
    seconds,
  });
  const flood = await crew.report;
  const [first, second, withCookie] = await Promise.all([...neighbours, insider].map((probe) => probe.stop()));
  return { name, isOneReply, flood, neighbours: sum(first!, second!), withCookie: withCookie! };
}

/** How many times as long as the question the longest reply to ANY is, for each kind of question. */
export async function anyRatio(server: BuiltServer): Promise<number> {
  let most = 0;
  for (const name of [
    'example.test.',
    'big.example.test.',
    'web.service.local.',
    'service.local.',
    'x.wild.example.test.',
  ])
    for (const edns of ['', ' edns', ' edns size=4096', ' edns do']) {
      const query = queryOctets(`${name} ANY${edns}`, 1);
      most = Math.max(most, (await ask(server.dns, '127.11.0.1', query)).length / query.length);
    }
  return most;
}

async function cookieFor(server: Address, source: string): Promise<string> {
  const reply = await ask(server, source, queryOctets(`cart-service.service.local. A opt=10:${CLIENT_COOKIE}`, 1));
  const cookie = cookieOf(decodeMessage(reply));
  if (cookie === undefined) throw new Error('no cookie was given');
  return cookie;
}

async function ask(server: Address, source: string, query: Uint8Array): Promise<Buffer> {
  const socket = createSocket('udp4');
  try {
    socket.bind(0, source);
    await once(socket, 'listening');
    const reply = once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
    socket.send(query, server.port, server.address);
    const [octets] = (await reply) as [Buffer];
    return octets;
  } finally {
    socket.close();
  }
}

function sum(a: ProbeReport, b: ProbeReport): ProbeReport {
  return {
    asked: a.asked + b.asked,
    lost: a.lost + b.lost,
    refused: a.refused + b.refused,
    p50Ms: Math.max(a.p50Ms, b.p50Ms),
    p99Ms: Math.max(a.p99Ms, b.p99Ms),
    worstMs: Math.max(a.worstMs, b.worstMs),
  };
}
