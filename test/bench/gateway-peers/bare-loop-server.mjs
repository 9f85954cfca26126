// bare-loop-server.mjs -- node:http in front, an undici Pool behind, and nothing between that a gateway needs

import { createServer } from 'node:http';
import { Pool } from 'undici';

const [port, upstream] = process.argv.slice(2).map(Number);
const pool = new Pool(`http://127.0.0.1:${upstream}`, { connections: 128 });

createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const { method, url: path, headers } = request;
  delete headers.connection;
  const body = method === 'GET' || method === 'HEAD' ? null : request;
  pool.stream({ method, path, headers, body, opaque: response }, passHead).catch(() => response.destroy());
}).listen(port, '127.0.0.1');

function passHead({ statusCode, headers, opaque: response }) {
  response.writeHead(statusCode, headers);
  return response;
}
