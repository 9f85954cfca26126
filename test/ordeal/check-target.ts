// check-target.ts -- a process that answers http checks at many loopback addresses, and keeps connections or not

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CheckTargetOptions {
  readonly keepAlive: boolean;
  /** How many of 127.1.0.1, 127.1.0.2 and so on are listened at: connections that are over block their ports. */
  readonly addresses: number;
}

const { keepAlive, addresses } = JSON.parse(process.argv[2] ?? '{}') as CheckTargetOptions;
let port = 0;
for (let i = 1; i <= addresses; i++) {
  const server = createServer({ keepAliveTimeout: 120_000 }, (_, response) => {
    if (!keepAlive) response.setHeader('connection', 'close');
    response.setHeader('content-type', 'text/plain').end('fine');
  });
  server.listen({ port, host: `127.1.0.${i}`, backlog: 4096 });
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
}
process.send!(port);
process.once('disconnect', () => process.exit());
