// knot.ts -- Knot DNS with one UDP worker

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from '../contestant.ts';
import { zoneFile } from '../zone-content.ts';

export const KNOT: Contestant = {
  name: 'knot',
  title: 'Knot DNS',
  program: { name: 'knotd', packages: 'knot' },
  versionArgs: ['-V'],
  prepare({ folder, port, content }) {
    writeFileSync(join(folder, 'zone'), zoneFile(content));
    const config = `
server:
  listen: 127.0.0.1@${port}
  rundir: "${folder}"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "${folder}"
log:
  - target: stderr
    any: warning
zone:
  - domain: ${content.apex}
    storage: "${folder}"
    file: zone
    zonefile-sync: -1
    journal-content: none
`;
    writeFileSync(join(folder, 'knot.conf'), config);
    return { command: 'knotd', args: ['-c', join(folder, 'knot.conf')] };
  },
};
