// program.mjs -- uses both entries of the installed package: registers, picks, fetches by name, and serves a gateway

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createClient, RollcallError } from 'rollcall/client';
import { createGateway, RollcallError as GatewayError } from 'rollcall/gateway';
import { fetch } from 'undici';

assert.equal(GatewayError, RollcallError, 'both entries share their modules');
const client = createClient({ url: process.argv[2] });
const instance = await serve((request, response) => response.end(`${request.headers.host} ${request.url}`));
const registration = client.register({ service: 'cart-service', address: '127.0.0.1', port: instance.address().port });
const { id } = await registration.ready();

const lease = await client.pick('cart-service');
assert.equal(lease.id, id);
assert.equal(lease.url(), `http://127.0.0.1:${instance.address().port}`);
lease.done();

const byName = await fetch('http://cart-service.service.local/a', { dispatcher: client.dispatcher() });
assert.equal(await byName.text(), 'cart-service.service.local /a');

const gateway = createGateway({ client, routes: [{ prefix: '/api', strip: true, service: 'cart-service' }] });
await gateway.ready;
const front = await serve(gateway.handle);
const through = await fetch(`http://127.0.0.1:${front.address().port}/api/b`);
assert.equal(await through.text(), `127.0.0.1:${front.address().port} /b`);

for (const server of [front, instance]) {
  server.close();
  server.closeAllConnections();
}
await registration.deregister();
await gateway.close(0);
await client.close();
console.log('all is well');

async function serve(listener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
