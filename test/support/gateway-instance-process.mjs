// gateway-instance-process.mjs -- an HTTP service behind a gateway: arguments are its id, its address, a port and a delay
//
// Plain JavaScript: it starts in a fraction of the time that a TypeScript file takes.
//
//   /health          200
//   /work            200 with its id, after the delay
//   /sink            reads the body and tells its length and SHA-256
//   /source?bytes=N  N octets; with &reset=M the connection is reset after M of them; with &chunked without a length
//   /reset           resets the connection instead of answering
//   an upgrade       a WebSocket that sends back every message

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const CHUNK = Buffer.alloc(65_536, 'Rollcall. ');
const [id, address, port, delayMs] = process.argv.slice(2);

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://instance');
  response.setHeader('x-instance', id);
  if (pathname === '/health') response.end('well\n');
  else if (pathname === '/work') work(request, response);
  else if (pathname === '/sink') sink(request, response);
  else if (pathname === '/source') source(response, searchParams);
  else if (pathname === '/reset') request.socket.resetAndDestroy();
  else response.writeHead(404).end();
});
server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'];
  const accept = createHash('sha1').update(`${key}${WEBSOCKET_GUID}`).digest('base64');
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n' +
      `x-instance: ${id}\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
  );
  socket.on('error', () => {});
  echoFrames(socket);
});
server.keepAliveTimeout = 60_000;
server.listen(Number(port), address, () => console.log(`port ${server.address().port}`));

// What is under way is answered; connections that idle are closed.
process.on('SIGTERM', () => {
  server.close(() => process.exit());
  setInterval(() => server.closeIdleConnections(), 20);
});

function work(request, response) {
  request.resume();
  request.once('end', () => setTimeout(() => response.end(id), Number(delayMs)));
}

function sink(request, response) {
  const hash = createHash('sha256');
  let bytes = 0;
  request.on('data', (chunk) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  request.on('end', () => response.end(JSON.stringify({ bytes, sha256: hash.digest('hex') })));
}

function source(response, query) {
  const bytes = Number(query.get('bytes'));
  const resetAt = query.has('reset') ? Number(query.get('reset')) : Number.POSITIVE_INFINITY;
  if (!query.has('chunked')) response.setHeader('content-length', bytes);
  let sent = 0;
  const send = () => {
    while (sent < bytes) {
      if (sent >= resetAt) return response.socket.resetAndDestroy();
      const part = CHUNK.subarray(0, Math.min(CHUNK.length, bytes - sent, resetAt - sent));
      sent += part.length;
      // A reset throws away what is not sent yet: so the last part before one waits until it is.
      if (sent >= resetAt) return response.write(part, () => setTimeout(send, 20));
      if (!response.write(part)) return response.once('drain', send);
    }
    return response.end();
  };
  send();
}

/** Whole messages of one frame each (RFC 6455 section 5.2), unmasked and sent back; a close frame ends it. */
function echoFrames(socket) {
  let rest = Buffer.alloc(0);
  socket.on('data', (octets) => {
    rest = Buffer.concat([rest, octets]);
    for (let frame = readFrame(rest); frame !== undefined; frame = readFrame(rest)) {
      rest = rest.subarray(frame.end);
      const { opcode, payload } = frame;
      const length = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 0xff];
      socket.write(Buffer.concat([Buffer.from([0x80 | opcode, ...length]), payload]));
      if (opcode === 8) socket.end();
    }
  });
}

function readFrame(octets) {
  if (octets.length < 2) return undefined;
  const short = octets[1] & 0x7f;
  if (short === 127) throw new Error('messages have less than 64 KiB here');
  const maskAt = short === 126 ? 4 : 2;
  if (octets.length < maskAt + 4) return undefined;
  const length = short === 126 ? octets.readUInt16BE(2) : short;
  const end = maskAt + 4 + length;
  if (octets.length < end) return undefined;
  const payload = Buffer.from(octets.subarray(maskAt + 4, end));
  for (let i = 0; i < length; i++) payload[i] ^= octets[maskAt + (i & 3)];
  return { opcode: octets[0] & 0x0f, payload, end };
}
