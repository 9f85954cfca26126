// fastify-http-proxy-server.mjs -- @fastify/http-proxy for all paths, by its default client, undici

import proxy from '@fastify/http-proxy';
import fastify from 'fastify';

const [port, upstream] = process.argv.slice(2).map(Number);
const server = fastify({ logger: false });
await server.register(proxy, { upstream: `http://127.0.0.1:${upstream}`, undici: { connections: 128 } });
await server.listen({ port, host: '127.0.0.1' });
