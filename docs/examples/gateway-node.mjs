// gateway-node.mjs -- a server of node:http that takes /api/cart to a healthy instance of cart-service
//
//   npm install rollcall && node gateway-node.mjs
// ROLLCALL_HTTP and ROLLCALL_TOKEN say where Rollcall is and how to be let in, PORT where to listen.

import { createServer } from 'node:http';
import { createClient } from 'rollcall/client';
import { createGateway } from 'rollcall/gateway';

const { ROLLCALL_HTTP: url = 'http://127.0.0.1:8500', ROLLCALL_TOKEN: token, PORT: port = '8080' } = process.env;
const client = createClient({ url, ...(token === undefined ? {} : { token }) });
const gateway = createGateway({
  client,
  routes: [{ prefix: '/api/cart', strip: true, service: 'cart-service', timeout: '5s' }],
});
await gateway.ready;

const server = createServer((request, response) => {
  gateway.handle(request, response, () => response.end('the shop itself\n'));
});
server.on('upgrade', gateway.upgrade);
server.listen(Number(port), '127.0.0.1', () => console.log(`port ${server.address().port}`));

process.once('SIGTERM', async () => {
  server.close();
  await gateway.close();
  await client.close();
});
