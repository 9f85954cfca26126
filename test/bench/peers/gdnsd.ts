// gdnsd.ts -- gdnsd with one UDP thread

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from '../contestant.ts';
import { zoneFile } from '../zone-content.ts';

export const GDNSD: Contestant = {
  name: 'gdnsd',
  title: 'gdnsd',
  program: { name: 'gdnsd', packages: 'gdnsd' },
  versionArgs: ['version'],
  sendsNoGlue: true,
  note: 'sends no addresses along with SRV records, so its answers are shorter',
  prepare({ folder, port, content }) {
    for (const name of ['zones', 'run', 'state']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'zones', content.apex), zoneFile(content));
    const config = `
options => {
  listen => 127.0.0.1:${port}
  udp_threads => 1
  tcp_threads => 1
  run_dir => ${folder}/run
  state_dir => ${folder}/state
}
`;
    writeFileSync(join(folder, 'config'), config);
    return { command: 'gdnsd', args: ['-c', folder, 'start'] };
  },
};
