// toy-service.mjs -- a small HTTP service that registers itself with Rollcall, and signs off when it is stopped
//
// Plain Node, nothing to install:
//   SERVICE_NAME=cart-service SERVICE_ADDRESS=127.0.0.2 SERVICE_PORT=8081 node docs/examples/toy-service.mjs
// ROLLCALL_HTTP and ROLLCALL_TOKEN say where Rollcall is and how to be let in. With SERVICE_VERSION it has that as a tag
// and in its metadata, with its process id, as rolling-deploy.mjs wants it. POST /break makes the health check fail,
// POST /mend makes it pass again.

import { createServer } from 'node:http';
import { hostname, networkInterfaces } from 'node:os';

const rollcall = process.env.ROLLCALL_HTTP ?? 'http://127.0.0.1:8500';
const token = process.env.ROLLCALL_TOKEN;
const service = process.env.SERVICE_NAME ?? 'toy-service';
const version = process.env.SERVICE_VERSION;
const address = process.env.SERVICE_ADDRESS ?? ownAddress();
const RETRY_MS = 1_000;
const CALL_TIMEOUT_MS = 5_000;

let healthy = true;
let stopping = false;

const server = createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/break') healthy = false;
  if (request.method === 'POST' && request.url === '/mend') healthy = true;
  const isProbe = request.url === '/health';
  response.writeHead(isProbe && !healthy ? 503 : 200, { 'content-type': 'text/plain' });
  response.end(
    isProbe ? `${healthy ? 'well' : 'unwell'}\n` : `${service}${version ? ` ${version}` : ''} at ${address}\n`,
  );
});

server.listen(Number(process.env.SERVICE_PORT ?? 0), address, async () => {
  const { port } = server.address();
  const id = process.env.SERVICE_ID ?? `${service}-${hostname()}-${port}`;
  process.on('SIGTERM', () => signOff(id));
  process.on('SIGINT', () => signOff(id));
  await register(id, port);
});

/** Tell Rollcall where we are and how to see that we are well; again and again until it has heard. */
async function register(id, port) {
  const instance = {
    address,
    port,
    ...(version && { tags: [version], meta: { version, pid: String(process.pid) } }),
    checks: [{ id: 'health', type: 'http', url: `http://${address}:${port}/health`, interval: '2s', timeout: '1s' }],
  };
  while (!stopping) {
    try {
      await call('PUT', `/v1/services/${service}/instances/${id}`, instance);
      console.log(`${id} is registered at ${address}:${port}`);
      return;
    } catch (error) {
      console.error(`not registered yet: ${error.message}`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Leave the answers first, then stop answering. */
async function signOff(id) {
  if (stopping) return;
  stopping = true;
  await call('DELETE', `/v1/instances/${id}`).catch((error) => console.error(`not deregistered: ${error.message}`));
  // What is under way is finished.
  server.close();
}

async function call(method, path, body) {
  const response = await fetch(new URL(path, rollcall), {
    method,
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
  const text = await response.text();
  // Whoever deploys may have deregistered it already.
  const isGone = method === 'DELETE' && response.status === 404;
  if (!response.ok && !isGone) throw new Error(`${method} ${path}: ${response.status} ${text}`);
}

/** The first IPv4 address that others can reach; loopback on a machine without a network. */
function ownAddress() {
  const addresses = Object.values(networkInterfaces()).flat();
  const outer = addresses.find(({ family, internal }) => family === 'IPv4' && !internal);
  return outer?.address ?? '127.0.0.1';
}
