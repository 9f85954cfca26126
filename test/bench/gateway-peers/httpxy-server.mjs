// httpxy-server.mjs -- httpxy behind node:http, with an agent that keeps connections

import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'httpxy';

const [port, upstream] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: 128 });
const proxy = createProxyServer({ agent, xfwd: true });
const options = { target: `http://127.0.0.1:${upstream}` };

createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  proxy.web(request, response, options).catch(() => response.destroy());
}).listen(port, '127.0.0.1');
