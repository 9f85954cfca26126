// powerdns.ts -- PowerDNS with the bind backend, one receiver thread and its caches as they are by default

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from '../contestant.ts';
import { zoneFile } from '../zone-content.ts';

export const POWERDNS: Contestant = {
  name: 'powerdns',
  title: 'PowerDNS',
  program: { name: 'pdns_server', packages: 'pdns-server pdns-backend-bind' },
  versionArgs: ['--version'],
  prepare({ folder, port, content }) {
    writeFileSync(join(folder, 'zone'), zoneFile(content));
    writeFileSync(
      join(folder, 'named.conf'),
      `zone "${content.apex}" { type master; file "${join(folder, 'zone')}"; };\n`,
    );
    // An empty security-poll-suffix: otherwise it asks the internet about its version.
    const config = `
launch=bind
bind-config=${join(folder, 'named.conf')}
local-address=127.0.0.1
local-port=${port}
socket-dir=${folder}
daemon=no
guardian=no
disable-syslog=yes
loglevel=3
receiver-threads=1
distributor-threads=1
security-poll-suffix=
`;
    writeFileSync(join(folder, 'pdns.conf'), config);
    return { command: 'pdns_server', args: [`--config-dir=${folder}`] };
  },
};
