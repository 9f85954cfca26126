// dns2.ts -- the UDP server of the dns2 package, with answers made ready beforehand

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Contestant } from '../contestant.ts';

const SCRIPT = fileURLToPath(new URL('./dns2-server.mjs', import.meta.url));

export const DNS2: Contestant = {
  name: 'dns2',
  title: 'dns2 server',
  prepare({ folder, port, content }) {
    const file = join(folder, 'content.json');
    writeFileSync(file, JSON.stringify(content));
    return { command: process.execPath, args: [SCRIPT, file, String(port)] };
  },
};
