// client-child.ts -- a program that registers itself, for tests that send it signals: it prints a line for each state
//
// Arguments: URL of the server, id, and what it does about SIGTERM itself: `none`, or `own` for a listener of its own.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '../../src/client/client.ts';

const [url = '', id = '', own] = process.argv.slice(2);

const server = createServer((_request, response) => response.end(id));
server.listen(0, '127.0.0.1', () => {
  const client = createClient({ url });
  const { port } = server.address() as AddressInfo;
  client.register(
    { service: 'cart', id, address: '127.0.0.1', port, leaseTtl: '5s' },
    {
      drainOnSignals: ['SIGTERM'],
      onState: (state) => {
        process.stdout.write(`${state}\n`);
        // A program with a listener of its own ends when it has nothing left to do.
        if (state === 'closed' && own === 'own') {
          server.close();
          void client.close();
        }
      },
      onDrained: () => void process.stdout.write('drained\n'),
    },
  );
  if (own === 'own') process.on('SIGTERM', () => process.stdout.write('own listener\n'));
});
