// nsd.ts -- NSD with one server process

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from '../contestant.ts';
import { zoneFile } from '../zone-content.ts';

export const NSD: Contestant = {
  name: 'nsd',
  title: 'NSD',
  program: { name: 'nsd', packages: 'nsd' },
  versionArgs: ['-v'],
  note: "adds the zone's NS record and its address, which it can leave out only together with the addresses of SRV records",
  prepare({ folder, port, content }) {
    writeFileSync(join(folder, 'zone'), zoneFile(content));
    // Debian's build limits the rate of equal answers to 200 a second unless told otherwise.
    const config = `
server:
  ip-address: 127.0.0.1@${port}
  server-count: 1
  username: ""
  chroot: ""
  database: ""
  zonesdir: "${folder}"
  pidfile: "${folder}/nsd.pid"
  xfrdfile: "${folder}/xfrd.state"
  xfrdir: "${folder}"
  zonelistfile: "${folder}/zone.list"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "${content.apex}"
  zonefile: "zone"
`;
    writeFileSync(join(folder, 'nsd.conf'), config);
    return { command: 'nsd', args: ['-d', '-c', join(folder, 'nsd.conf')] };
  },
};
