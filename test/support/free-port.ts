// free-port.ts -- a port for a program that cannot be asked which one it took

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const LOWEST_PORT = 10_000;
const ATTEMPTS = 100;

/**
 * A port of 127.0.0.1 where nobody listens, neither by UDP nor by TCP. It is below those that the system hands out by
 * itself: a free one among them may be somebody's source port a moment later. Throws when a hundred are taken.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (firstEphemeralPort() - LOWEST_PORT));
    if ((await isFreeForTcp(port)) && (await isFreeForUdp(port))) return port;
  }
  throw new Error(`no free port of ${ATTEMPTS} tried`);
}

function firstEphemeralPort(): number {
  try {
    return Math.max(
      Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10),
      2 * LOWEST_PORT,
    );
  } catch {
    // Not Linux: what most systems begin with.
    return 49_152;
  }
}

async function isFreeForTcp(port: number): Promise<boolean> {
  const server = createServer();
  const isFree = await once(server.listen(port, '127.0.0.1'), 'listening').then(
    () => true,
    () => false,
  );
  if (isFree) await new Promise((resolve) => server.close(resolve));
  return isFree;
}

async function isFreeForUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  socket.bind(port, '127.0.0.1');
  const isFree = await once(socket, 'listening').then(
    () => true,
    () => false,
  );
  if (isFree) await new Promise<void>((resolve) => socket.close(() => resolve()));
  return isFree;
}
