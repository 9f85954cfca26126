// demo-gateway-cart.ts -- an instance of the demo, as a program of its own: it serves, registers itself, and takes leave
//
// Run by fleet in a child process; its environment says who it is. SIGTERM: it drains, waits until nobody has it any
// more, deregisters, finishes what is under way, and ends.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '../client/client.ts';

const ADDRESS = '127.0.0.1';
/** Replies take between the stated time and twice of it. */
const SPREAD = 2;

const { ROLLCALL_HTTP = '', CART_ID = '', CART_VERSION = '', CART_WORK_MS = '10' } = process.env;

const server = createServer((request, response) => {
  if (request.url === '/health') {
    response.end('well\n');
    return;
  }
  request.resume();
  const workMs = Number(CART_WORK_MS) * (1 + Math.random() * (SPREAD - 1));
  setTimeout(() => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-instance': CART_ID });
    response.end(`${JSON.stringify({ version: CART_VERSION, items: [] })}\n`);
  }, workMs);
});
server.listen(0, ADDRESS, () => void register((server.address() as AddressInfo).port));
// Who started us is gone: nobody would end us.
process.on('disconnect', () => process.exit(0));

async function register(port: number): Promise<void> {
  const client = createClient({ url: ROLLCALL_HTTP, address: ADDRESS });
  const registration = client.register(
    {
      ...{ service: 'cart-service', id: CART_ID, address: ADDRESS, port },
      tags: [CART_VERSION],
      meta: { version: CART_VERSION },
      leaseTtl: '4s',
      checks: [{ id: 'health', type: 'http', url: '/health', interval: '1s', timeout: '900ms', rise: 1, fall: 2 }],
    },
    { drainOnSignals: ['SIGTERM'], onDrained: () => closed(server) },
  );
  await registration.ready();
  process.send?.('ready');
}

/** Accept nothing more, and wait for what is under way. */
function closed(listener: Server): Promise<void> {
  return new Promise((resolve) => {
    listener.close(() => resolve());
    listener.closeIdleConnections();
  });
}
