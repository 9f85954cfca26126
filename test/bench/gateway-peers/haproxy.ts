// haproxy.ts -- HAProxy twice: as a gateway to compare with, and as the upstream behind every gateway

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../support/tools.ts';
import type { GatewayContestant, GatewayLaunch } from '../gateway-contestant.ts';

export const HAPROXY_PROGRAM = { name: 'haproxy', packages: 'haproxy' };

const COMMON = `
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
`;

export const HAPROXY: GatewayContestant = {
  name: 'haproxy',
  title: 'HAProxy',
  role: 'reference',
  program: HAPROXY_PROGRAM,
  version: async () => /version (\d+\.\d+\.\d+)/.exec((await run('haproxy', ['-v'])).stdout)?.[1] ?? '',
  prepare({ folder, port, upstreams }) {
    const servers = upstreams.map((upstream, at) => `  server s${at} 127.0.0.1:${upstream}`);
    return launch(
      join(folder, 'haproxy.cfg'),
      `global
  nbthread 1
  maxconn 4000
${COMMON}
  option forwardfor
  http-reuse always
frontend clients
  bind 127.0.0.1:${port}
  default_backend instances
backend instances
  balance roundrobin
${servers.join('\n')}
`,
    );
  },
};

/** The upstream: answers `/1k` and `/64k` out of memory, once a request's body has come. */
export function prepareUpstream(folder: string, ports: readonly number[]): GatewayLaunch {
  for (const [name, octets] of [
    ['1k', 1024],
    ['64k', 65_536],
  ] as const)
    writeFileSync(join(folder, name), 'x'.repeat(octets));
  return launch(
    join(folder, 'upstream.cfg'),
    `global
  nbthread 1
  maxconn 4000
  tune.bufsize 81920
${COMMON}
frontend instances
${ports.map((port) => `  bind 127.0.0.1:${port}`).join('\n')}
  http-request wait-for-body time 10s if METH_POST
  http-request return status 200 content-type text/plain file ${join(folder, '64k')} if { path /64k }
  http-request return status 200 content-type text/plain file ${join(folder, '1k')}
`,
  );
}

function launch(file: string, config: string): GatewayLaunch {
  writeFileSync(file, config);
  // In the foreground, without a master process.
  return { command: 'haproxy', args: ['-db', '-f', file] };
}
