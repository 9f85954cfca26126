// api-server.ts -- the HTTP API over a memory store on a free port, and short ways to talk to it

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Registry as MetricsRegistry } from 'prom-client';
import { type Api, type ApiOptions, startApi } from '../../src/api/api.ts';
import type { HeartbeatReport } from '../../src/api/api-parts.ts';
import type { ClusterReport } from '../../src/api/cluster-report.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { parseName } from '../../src/dns/name.ts';
import { buildView } from '../../src/nameserver/build-view.ts';
import { Cursors, createCursorMemory } from '../../src/nameserver/cursors.ts';
import { NameIndex } from '../../src/nameserver/name-index.ts';
import type { View } from '../../src/nameserver/view.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { foresightOf } from '../../src/wiring/foresight.ts';
import { Rollouts } from '../../src/wiring/rollouts.ts';

/** What an exchange came to. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into replies of any shape
  readonly body: any;
}

export interface ApiServer {
  readonly api: Api;
  readonly registry: Registry;
  readonly url: string;
  readonly port: number;
  readonly beats: { id: string; report: HeartbeatReport }[];
  /** One request; a body that is not a string is sent as JSON. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** Send bytes as they are and return everything that comes back until the server hangs up (or `waitMs`). */
  raw(text: string, waitMs?: number): Promise<string>;
  close(): Promise<void>;
}

/** What a server says that is no node of a cluster. */
const ALONE: ClusterReport = {
  node: 'alone',
  elected: 'alone',
  silentMs: 0,
  stale: false,
  members: [
    {
      ...{ node: 'alone', name: 'alone', version: '1.2.3', http: ['127.0.0.1:8500'] },
      ...{ startedAt: '2026-11-24T02:00:00.000Z', isSelf: true, isElected: true },
    },
  ],
  checks: 0,
  store: { kind: 'memory', revision: 7, endpoints: [] },
};

export async function openApiServer(options: Partial<ApiOptions> = {}): Promise<ApiServer> {
  const clock: Clock = options.clock ?? systemClock;
  const registry = options.registry ?? (await Registry.open({ store: openMemoryStore(), clock, log: silentLogger }));
  const beats: ApiServer['beats'] = [];
  const rollouts = new Rollouts({ registry, clock, log: silentLogger, cron: () => ({ cancel: () => {} }) });
  const api = await startApi({
    registry,
    clock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
    listen: [{ address: '127.0.0.1', port: 0 }],
    maxBodyBytes: 65_536,
    access: { tokens: [], allowHosts: [] },
    rules: () => ({
      checkDefaults: { intervalMs: 5000, timeoutMs: 2000, rise: 2, fall: 3, allowExec: false },
      domains: ['service.local'],
    }),
    heartbeat: (id, report) => beats.push({ id, report }),
    answerDns: async () => undefined,
    rollouts,
    foresight: foresightOf(() => viewOf(registry), registry, clock),
    ttlInForceSeconds: () => 5,
    reload: async () => ({ problems: [] }),
    status: () => ({ version: 'test' }),
    readiness: () => ({ ready: true, stale: false }),
    cluster: async () => ALONE,
    vantages: () => [],
    closeGraceMs: 200,
    ...options,
  });
  const { port } = api.addresses[0]!;
  const url = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  return {
    api,
    registry,
    url,
    port,
    beats,
    call: (method, path, body, headers = {}) => exchange(url + path, method, body, headers),
    raw: (text, waitMs = 3000) => rawExchange(port, text, waitMs),
    close: async () => {
      await api.close();
      await rollouts.stop();
      await registry.stop();
    },
  };
}

/** The domain `service.local` as it is now. */
function viewOf(registry: Registry): View {
  const index = new NameIndex();
  for (const state of registry.instances()) index.put(state, undefined);
  const apex = parseName('service.local.');
  return buildView(
    {
      zones: [],
      domains: [{ apex, ttlSeconds: 5, negativeTtlSeconds: 5, maxAnswers: 8 }],
      negativeTtlSeconds: 5,
      serverAddresses: ['127.0.0.1'],
      claimLocal: false,
    },
    {
      index,
      cursors: new Cursors(createCursorMemory(1 << 12)),
      service: (name) => registry.service(name),
      serviceCount: () => registry.serviceCount,
    },
  );
}

async function exchange(url: string, method: string, body: unknown, headers: Record<string, string>): Promise<Reply> {
  const isText = typeof body === 'string';
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  const reply = await fetch(url, {
    method,
    headers: { ...type, ...headers },
    ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    redirect: 'manual',
  });
  const text = await reply.text();
  const isJson = text !== '' && reply.headers.get('content-type')?.startsWith('application/json') === true;
  return { status: reply.status, headers: reply.headers, body: isJson ? JSON.parse(text) : text };
}

async function rawExchange(port: number, text: string, waitMs: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => {});
  socket.write(text, 'latin1');
  await once(socket, 'close', { signal: AbortSignal.timeout(waitMs) }).catch(() => socket.destroy());
  return received;
}

/** A token's entry in the configuration. */
export function tokenEntry(token: string, ...allow: string[]) {
  return { id: `id-${token}`, sha256: createHash('sha256').update(token).digest('hex'), allow };
}
