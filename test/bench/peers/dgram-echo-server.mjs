// dgram-echo-server.mjs -- sends every datagram back as a reply, and does nothing else: node dgram-echo-server.mjs PORT

import { createSocket } from 'node:dgram';

const socket = createSocket('udp4');
socket.on('message', (message, { port, address }) => {
  message[2] |= 0x80; // QR: a reply
  socket.send(message, port, address);
});
socket.bind(Number(process.argv[2]), '127.0.0.1');
