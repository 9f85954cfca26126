// malformed.ts -- malformed messages to a running server, and an honest client beside them

import { type BuiltServer, startBuiltServer } from './built-server.ts';
import { Crew } from './crew.ts';
import { HonestProbe, type ProbeReport } from './honest-probe.ts';
import type { MalformedOptions, MalformedReport } from './malformed-crew.ts';
import { CORPUS_ZONE } from './query-corpus.ts';
import { MemoryWatch, serverPrefix } from './siege-server.ts';

export interface MalformedResult {
  readonly crew: MalformedReport;
  readonly probe: ProbeReport;
  readonly growthMib: number;
}

/** One in so many goes over TCP. */
const TCP_SHARE = 5;
const WARM_UP_MESSAGES = 20_000;
const PROBES_PER_SECOND = 200;

interface Scope {
  after(cleanup: () => unknown): void;
}

/** A server with the world that the corpus asks about. */
export async function startCorpusServer(scope: Scope): Promise<BuiltServer> {
  const server = await startBuiltServer(scope, {
    config: { store: { kind: 'memory' }, dns: { nsid: 'corpus' } },
    zones: { 'example.test.zone': CORPUS_ZONE },
    prefix: serverPrefix(),
  });
  const instance = { port: 80, ports: { http: 80 }, tags: ['v1'], meta: { k: 'v' } };
  for (let i = 1; i <= 40; i++) await server.register('web', `web-${i}`, { address: `10.0.0.${i}`, ...instance });
  return server;
}

/** Send as many malformed messages with each seed, over UDP and TCP. */
export async function throwMalformed(
  scope: Scope,
  server: BuiltServer,
  { seeds, perSeed }: { seeds: readonly number[]; perSeed: number },
): Promise<MalformedResult> {
  const overTcp = Math.floor(perSeed / TCP_SHARE);
  // What a busy server needs anyway is no growth: compiled code, and a young heap of full size.
  const warmUp = Math.min(WARM_UP_MESSAGES, perSeed);
  await sendThem(scope, { server: server.dns, seeds: [0], overUdp: warmUp, overTcp: Math.floor(warmUp / TCP_SHARE) });
  const memory = new MemoryWatch(scope, server.pid);
  const questions = ['web.service.local. A edns', 'ns.example.test. A'];
  const probe = await HonestProbe.start({ server: server.dns, questions, perSecond: PROBES_PER_SECOND });
  const crew = await sendThem(scope, { server: server.dns, seeds, overUdp: perSeed - overTcp, overTcp });
  return { crew, probe: await probe.stop(), growthMib: memory.end() };
}

async function sendThem(scope: Scope, options: MalformedOptions): Promise<MalformedReport> {
  return (
    await Crew.start<MalformedOptions, MalformedReport>(scope, new URL('./malformed-crew.ts', import.meta.url), options)
  ).report;
}
