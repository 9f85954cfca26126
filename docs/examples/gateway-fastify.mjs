// gateway-fastify.mjs -- a fastify app that takes /api/cart to a healthy instance of cart-service
//
//   npm install rollcall fastify && node gateway-fastify.mjs
// ROLLCALL_HTTP and ROLLCALL_TOKEN say where Rollcall is and how to be let in, PORT where to listen.

import { fastify } from 'fastify';
import { createClient } from 'rollcall/client';
import { createGateway } from 'rollcall/gateway';

const { ROLLCALL_HTTP: url = 'http://127.0.0.1:8500', ROLLCALL_TOKEN: token, PORT: port = '8080' } = process.env;
const client = createClient({ url, ...(token === undefined ? {} : { token }) });
const gateway = createGateway({
  client,
  routes: [{ prefix: '/api/cart', strip: true, service: 'cart-service', timeout: '5s' }],
});
await gateway.ready;

const app = fastify();
app.register(gateway.fastify);
app.server.on('upgrade', gateway.upgrade);
app.get('/', async () => 'the shop itself\n');
app.addHook('onClose', async () => {
  await gateway.close();
  await client.close();
});
await app.listen({ port: Number(port), host: '127.0.0.1' });
console.log(`port ${app.server.address().port}`);

process.once('SIGTERM', () => app.close());
