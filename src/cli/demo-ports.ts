// demo-ports.ts -- the ports of a demo: the usual ones when they are free

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Terminal } from './terminal.ts';

/** `127.0.0.1:port` when nothing listens there, else with port 0 for any free one, which is said. */
export async function freeOrAny(port: number, terminal: Terminal): Promise<string> {
  try {
    const tcp = createServer().listen(port, '127.0.0.1');
    await once(tcp, 'listening');
    await new Promise((resolve) => tcp.close(resolve));
    const udp = createSocket('udp4').bind(port, '127.0.0.1');
    await once(udp, 'listening');
    udp.close();
    return `127.0.0.1:${port}`;
  } catch {
    terminal.out(`port ${port} of 127.0.0.1 is taken: another one is used\n`);
    return '127.0.0.1:0';
  }
}
