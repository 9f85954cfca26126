// http-proxy-3-server.mjs -- http-proxy-3 as its manual shows it, with an agent that keeps connections

import { Agent } from 'node:http';
import { createProxyServer } from 'http-proxy-3';

const [port, upstream] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: 128 });
const proxy = createProxyServer({ target: `http://127.0.0.1:${upstream}`, agent, xfwd: true });
proxy.on('error', (_error, _request, response) => response.destroy());
proxy.listen(port, '127.0.0.1');
