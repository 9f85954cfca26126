// port-zero.ts -- sends datagrams from port 0, or from one that is somebody else's, as only those do who forge them

import type { SocketCalls } from '../../src/net/socket-calls.ts';
import type { Address } from './built-server.ts';

const [AF_INET, SOCK_RAW, IPPROTO_UDP] = [2, 3, 17] as const;
const UDP_HEADER_BYTES = 8;

/** Send to an IPv4 address; false when this process may not (CAP_NET_RAW). */
export function sendFromPortZero(calls: SocketCalls, message: Uint8Array, to: Address): boolean {
  return sendForged(calls, message, to, 0);
}

/** The same from any port of the address that leads to `to`, whoever has it. */
export function sendForged(
  calls: SocketCalls,
  message: Uint8Array,
  { address, port }: Address,
  fromPort: number,
): boolean {
  const fd = calls.socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  if (fd < 0) return false;
  // The checksum stays 0: none.
  const datagram = Buffer.alloc(UDP_HEADER_BYTES + message.length);
  datagram.writeUInt16BE(fromPort, 0);
  datagram.writeUInt16BE(port, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  datagram.set(message, UDP_HEADER_BYTES);
  const peer = Buffer.alloc(16);
  peer.writeUInt16LE(AF_INET, 0);
  peer.set(address.split('.').map(Number), 4);
  const vector = new BigUint64Array([calls.addressOf(datagram), BigInt(datagram.length)]);
  const vectorAt = calls.addressOf(new Uint8Array(vector.buffer));
  const header = new BigUint64Array([calls.addressOf(peer), BigInt(peer.length), vectorAt, 1n, 0n, 0n, 0n, 0n]);
  const sent = calls.sendmmsg(fd, new Uint8Array(header.buffer), 1, 0);
  calls.close(fd);
  // C has read them only now.
  return sent === 1 && vector.length + peer.length + datagram.length > 0;
}
