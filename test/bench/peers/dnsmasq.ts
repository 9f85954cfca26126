// dnsmasq.ts -- dnsmasq, which has one thread anyway

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from '../contestant.ts';

export const DNSMASQ: Contestant = {
  name: 'dnsmasq',
  title: 'dnsmasq',
  program: { name: 'dnsmasq', packages: 'dnsmasq-base' },
  versionArgs: ['--version'],
  prepare({ folder, port, content }) {
    const { apex, ttlSeconds, services } = content;
    const lines = [
      `port=${port}`,
      'listen-address=127.0.0.1',
      'bind-interfaces',
      'no-resolv',
      'no-hosts',
      `local=/${apex}/`,
      `local-ttl=${ttlSeconds}`,
      'user=',
      'pid-file=',
    ];
    for (const { label, instances } of services) {
      for (const { address, port: servicePort, target } of instances) {
        lines.push(`host-record=${label}.${apex},${address}`, `host-record=${target},${address}`);
        lines.push(`srv-host=${label}.${apex},${target},${servicePort},0,1`);
      }
    }
    writeFileSync(join(folder, 'dnsmasq.conf'), `${lines.join('\n')}\n`);
    return {
      command: 'dnsmasq',
      args: ['--keep-in-foreground', '--log-facility=-', '-C', join(folder, 'dnsmasq.conf')],
    };
  },
};
