// node-proxies.ts -- gateways on Node: the three that are used most, and the least that a loop of one's own costs
//
// Each gets what makes it fast: connections to the upstream are kept, nothing is logged.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { GatewayContestant } from '../gateway-contestant.ts';

export const BARE_LOOP = nodeProxy({
  name: 'bare-loop',
  title: 'bare node:http + undici',
  role: 'floor',
  packageName: 'undici',
  script: new URL('./bare-loop-server.mjs', import.meta.url),
});

export const HTTP_PROXY_3 = nodeProxy({
  name: 'http-proxy-3',
  title: 'http-proxy-3',
  role: 'rival',
  packageName: 'http-proxy-3',
  script: new URL('./http-proxy-3-server.mjs', import.meta.url),
});

export const FASTIFY_HTTP_PROXY = nodeProxy({
  name: 'fastify-http-proxy',
  title: '@fastify/http-proxy',
  role: 'rival',
  packageName: '@fastify/http-proxy',
  script: new URL('./fastify-http-proxy-server.mjs', import.meta.url),
});

export const HTTPXY = nodeProxy({
  name: 'httpxy',
  title: 'httpxy',
  role: 'rival',
  packageName: 'httpxy',
  script: new URL('./httpxy-server.mjs', import.meta.url),
});

interface NodeProxy extends Pick<GatewayContestant, 'name' | 'title' | 'role'> {
  /** Whose version is told. */
  readonly packageName: string;
  readonly script: URL;
}

function nodeProxy({ name, title, role, packageName, script }: NodeProxy): GatewayContestant {
  return {
    ...{ name, title, role },
    version: async () => installedVersion(packageName),
    prepare: ({ port, upstreams }) => ({
      command: process.execPath,
      args: [fileURLToPath(script), String(port), String(upstreams[0])],
    }),
  };
}

function installedVersion(packageName: string): string {
  const file = new URL(`../../../node_modules/${packageName}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
