// rollcall.ts -- Rollcall itself: with one shard, and with node:dgram

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import type { Contestant, Launch, Setting } from '../contestant.ts';
import type { ZoneContent } from '../zone-content.ts';

const BUILT = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
/** The file that is run; another one, to measure another build. */
const MAIN = process.env.BENCH_ROLLCALL || BUILT;

/** A configuration file may have 4 MiB; what goes beyond is registered over HTTP. */
const MAX_CONFIGURED_INSTANCES = 20_000;
const READY_TIMEOUT_MS = 20_000;
const PIPELINED = { connections: 4, pipelining: 32 };

export const ROLLCALL_SHARDS: Contestant = {
  name: 'rollcall',
  title: 'Rollcall (1 shard)',
  prepare: (setting) => prepare(setting, 1),
};

export const ROLLCALL_DGRAM: Contestant = {
  name: 'rollcall-dgram',
  title: 'Rollcall (node:dgram)',
  prepare: (setting) => prepare(setting, 0),
};

function prepare({ folder, port, content }: Setting, workers: number): Launch {
  const configured = countInstances(content) <= MAX_CONFIGURED_INSTANCES;
  const services = configured ? content.services.flatMap(({ label, instances }) => registered(label, instances)) : [];
  const config = {
    dns: { listen: [`127.0.0.1:${port}`], workers, domains: [content.apex], ttl: `${content.ttlSeconds}s` },
    http: { listen: ['127.0.0.1:0'] },
    store: { kind: 'memory' },
    log: { level: 'warn' },
    services,
  };
  const configFile = join(folder, 'rollcall.json');
  const readyFile = join(folder, 'ready.json');
  writeFileSync(configFile, JSON.stringify(config));
  return {
    command: process.execPath,
    args: [MAIN, 'serve', '--config', configFile, '--ready-file', readyFile],
    load: async (progress) => {
      const url = await apiUrl(readyFile);
      if (!configured) await registerAll(url, content, progress);
      if (content.strategy !== undefined) await setPolicies(url, content.services, content.strategy);
    },
    confirm: async () => confirmPath(await apiUrl(readyFile), workers === 0 ? 'dgram' : 'shards'),
  };
}

/** DNS may answer a moment before the ready file is written. */
async function apiUrl(readyFile: string): Promise<string> {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  while (!existsSync(readyFile) && performance.now() < deadlineMs) await sleep(20);
  return `http://${JSON.parse(readFileSync(readyFile, 'utf8')).http[0]}`;
}

function countInstances({ services }: ZoneContent): number {
  return services.reduce((sum, { instances }) => sum + instances.length, 0);
}

function registered(service: string, instances: ZoneContent['services'][number]['instances']): object[] {
  return instances.map(({ id, address, port }) => ({ id, service, address, port }));
}

/** Where koffi is missing the server falls back to node:dgram: that must not pass for shards. */
async function confirmPath(url: string, wanted: string): Promise<void> {
  const response = await fetch(`${url}/v1/status`);
  const { dns } = (await response.json()) as { dns: { udp?: string } };
  if (dns.udp !== wanted) throw new Error(`Rollcall answers by ${dns.udp ?? 'an unknown path'}, not by ${wanted}`);
}

async function setPolicies(url: string, services: ZoneContent['services'], strategy: string): Promise<void> {
  for (const { label } of services) {
    const response = await fetch(`${url}/v1/services/${label}/policy`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ strategy }),
    });
    if (!response.ok) throw new Error(`setting the policy of ${label}: HTTP ${response.status}`);
    await response.arrayBuffer();
  }
}

async function registerAll(url: string, { services }: ZoneContent, progress: (share: number) => void): Promise<void> {
  const pool = new Pool(url, PIPELINED);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < services.length; at = next++) {
      const { label, instances } = services[at]!;
      for (const { id, address, port } of instances) {
        const { statusCode, body } = await pool.request({
          method: 'PUT',
          path: `/v1/services/${label}/instances/${id}`,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ address, port }),
        });
        await body.dump();
        if (statusCode !== 201) throw new Error(`registering ${id}: HTTP ${statusCode}`);
      }
      if (at % 1000 === 0) progress(at / services.length);
    }
  };
  try {
    await Promise.all(Array.from({ length: PIPELINED.connections * PIPELINED.pipelining }, worker));
  } finally {
    await pool.close();
  }
}
