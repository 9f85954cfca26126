// rollcall-gateway.ts -- Rollcall's gateway: the built server, its instances in the registry

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GatewayContestant } from '../gateway-contestant.ts';

const BUILT = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

export const ROLLCALL_GATEWAY: GatewayContestant = {
  name: 'rollcall',
  title: 'Rollcall',
  role: 'own',
  version: async () => '',
  prepare({ folder, port, upstreams }) {
    const config = {
      dns: { listen: ['127.0.0.1:0'], workers: 0 },
      http: { listen: ['127.0.0.1:0'] },
      store: { kind: 'memory' },
      log: { level: 'warn' },
      gateway: {
        listen: [`127.0.0.1:${port}`],
        routes: [{ name: 'all', service: 'web' }],
        // None of the others logs.
        accessLog: { sample: 0 },
      },
      services: upstreams.map((upstream, at) => ({
        id: `web-${at}`,
        service: 'web',
        address: '127.0.0.1',
        port: upstream,
      })),
    };
    const file = join(folder, 'rollcall.json');
    writeFileSync(file, JSON.stringify(config));
    // Another build is measured with BENCH_ROLLCALL.
    return { command: process.execPath, args: [process.env.BENCH_ROLLCALL || BUILT, 'serve', '--config', file] };
  },
};
