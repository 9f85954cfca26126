// gateway-express.mjs -- an express app that takes /shop/api/cart to a healthy instance of cart-service
//
//   npm install rollcall express && node gateway-express.mjs
// ROLLCALL_HTTP and ROLLCALL_TOKEN say where Rollcall is and how to be let in, PORT where to listen.

import express from 'express';
import { createClient } from 'rollcall/client';
import { createGateway } from 'rollcall/gateway';

const { ROLLCALL_HTTP: url = 'http://127.0.0.1:8500', ROLLCALL_TOKEN: token, PORT: port = '8080' } = process.env;
const client = createClient({ url, ...(token === undefined ? {} : { token }) });
const gateway = createGateway({
  client,
  // Below /shop, which express takes off before the gateway sees the path.
  routes: [{ prefix: '/api/cart', strip: true, service: 'cart-service', timeout: '5s' }],
});
await gateway.ready;

const app = express();
// Before body parsers: the gateway streams the body itself.
app.use('/shop', gateway.handle);
app.use(express.json());
app.use((_request, response) => response.send('the shop itself\n'));
const server = app.listen(Number(port), '127.0.0.1', () => console.log(`port ${server.address().port}`));

process.once('SIGTERM', async () => {
  server.close();
  await gateway.close();
  await client.close();
});
