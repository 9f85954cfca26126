// bind.ts -- BIND with one worker thread

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from '../contestant.ts';
import { zoneFile } from '../zone-content.ts';

export const BIND: Contestant = {
  name: 'bind',
  title: 'BIND',
  program: { name: 'named', packages: 'bind9' },
  versionArgs: ['-v'],
  prepare({ folder, port, content }) {
    writeFileSync(join(folder, 'zone'), zoneFile(content));
    // no-auth: glue beside SRV records, as the others send it, and no NS records.
    const config = `
options {
  directory "${folder}";
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file none;
  session-keyfile none;
  lock-file none;
  recursion no;
  notify no;
  dnssec-validation no;
  minimal-responses no-auth;
};
controls { };
zone "${content.apex}" { type primary; file "zone"; };
`;
    writeFileSync(join(folder, 'named.conf'), config);
    return { command: 'named', args: ['-g', '-n', '1', '-c', join(folder, 'named.conf')] };
  },
};
