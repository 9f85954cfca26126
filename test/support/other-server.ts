// other-server.ts -- Knot, NSD and BIND as processes on loopback, with zones from files or taken from a primary

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Endpoint } from '../../src/base/ip.ts';
import { freePort } from './free-port.ts';
import { queryOctets } from './query-text.ts';
import { askOnce } from './raw-questions.ts';
import { spawnServer } from './tools.ts';

/** A zone to be served: from a master file, or as a secondary of a primary. */
export type OtherZone = { readonly apex: string } & ({ readonly file: string } | { readonly primary: Endpoint });

export interface OtherServer {
  readonly title: 'Knot' | 'NSD' | 'BIND';
  /** Programs and their Debian packages, for requireTools. */
  readonly tools: Readonly<Record<string, string>>;
  /** Start it with zones that anybody on loopback may take over; it is up when it has all of them. */
  start(t: Pick<TestContext, 'after'>, zones: readonly OtherZone[]): Promise<Endpoint>;
}

interface Program {
  readonly title: OtherServer['title'];
  readonly tools: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  config(folder: string, port: number, zones: readonly OtherZone[]): string;
}

const KNOT: Program = {
  title: 'Knot',
  tools: { knotd: 'knot' },
  command: ['knotd', '-c'],
  config: (folder, port, zones) => `
server:
  listen: 127.0.0.1@${port}
  rundir: "${folder}"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  nsid: ""
database:
  storage: "${folder}"
log:
  - target: stderr
    any: warning
${zones.some((zone) => 'primary' in zone) ? '' : 'mod-cookies:\n  - id: default\n'}
acl:
  - id: loopback
    address: 127.0.0.1
    action: transfer
remote:
${zones.flatMap((zone, i) => ('primary' in zone ? [`  - id: p${i}\n    address: 127.0.0.1@${zone.primary.port}`] : [])).join('\n')}
template:
  - id: default
    storage: "${folder}"
    acl: loopback
    zonefile-sync: -1
${zones.some((zone) => 'primary' in zone) ? '' : '    global-module: mod-cookies/default\n'}
zone:
${zones
  .map((zone, i) =>
    'primary' in zone
      ? `  - domain: ${zone.apex}\n    master: p${i}`
      : `  - domain: ${zone.apex}\n    file: ${zone.file}\n    journal-content: none`,
  )
  .join('\n')}
`,
};

const NSD: Program = {
  title: 'NSD',
  tools: { nsd: 'nsd' },
  command: ['nsd', '-d', '-c'],
  config: (folder, port, zones) => `
server:
  ip-address: 127.0.0.1
  port: ${port}
  server-count: 1
  username: ""
  zonesdir: "${folder}"
  database: ""
  pidfile: ""
  xfrdfile: "${folder}/xfrd.state"
  xfrdir: "${folder}"
  zonelistfile: "${folder}/zone.list"
  rrl-ratelimit: 0
  answer-cookie: yes
  cookie-secret: "e5e973e5a6b2a43f48e7dc849e37bfcf"
  refuse-any: yes
remote-control:
  control-enable: no
${zones
  .map((zone) => {
    const from =
      'primary' in zone ? `request-xfr: AXFR 127.0.0.1@${zone.primary.port} NOKEY` : `zonefile: "${zone.file}"`;
    return `zone:\n  name: ${zone.apex}\n  ${from}\n  provide-xfr: 127.0.0.1 NOKEY`;
  })
  .join('\n')}
`,
};

const BIND: Program = {
  title: 'BIND',
  tools: { named: 'bind9' },
  command: ['named', '-g', '-n', '1', '-c'],
  config: (folder, port, zones) => `
options {
  directory "${folder}";
  pid-file "${folder}/named.pid";
  session-keyfile "${folder}/session.key";
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  recursion no;
  allow-query { any; };
  allow-transfer { 127.0.0.1; };
  notify no;
  minimal-any yes;
  edns-udp-size 1232;
  max-udp-size 1232;
  check-integrity no;
  dnssec-validation no;
};
controls { };
zone "." { type hint; file "${folder}/hints"; };
${zones
  .map((zone) =>
    'primary' in zone
      ? `zone "${zone.apex}" { type secondary; primaries { 127.0.0.1 port ${zone.primary.port}; }; };`
      : `zone "${zone.apex}" { type primary; file "${zone.file}"; check-names ignore; };`,
  )
  .join('\n')}
`,
};

export const OTHER_SERVERS: readonly OtherServer[] = [KNOT, NSD, BIND].map((program) => ({
  title: program.title,
  tools: program.tools,
  start: (t, zones) => start(t, program, zones),
}));

async function start(t: Pick<TestContext, 'after'>, program: Program, zones: readonly OtherZone[]): Promise<Endpoint> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-other-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const server = { address: '127.0.0.1', port: await freePort() };
  const file = join(folder, 'server.conf');
  // BIND looks for the root servers otherwise, which are none of ours.
  writeFileSync(join(folder, 'hints'), '. 3600 NS localhost.\nlocalhost. 3600 A 127.0.0.1\n');
  writeFileSync(file, program.config(folder, server.port, zones));
  const [command = '', ...args] = program.command;
  await spawnServer(t, command, [...args, file], {
    cwd: folder,
    readyTimeoutMs: 30_000,
    ready: async () => {
      for (const { apex } of zones) {
        const reply = await askOnce(server, queryOctets(`${apex} SOA`, 1));
        // RCODE NOERROR and one answer.
        if (reply === undefined || (reply[3]! & 15) !== 0 || reply[7] !== 1) return false;
      }
      return true;
    },
  });
  return server;
}
