// udp-descriptor.ts -- opens UDP sockets that several threads may share by number
//
// The main thread opens descriptors and hands their numbers to shards: a socket that a worker opened would stay bound
// when the worker dies and swallow its share of a SO_REUSEPORT group, while a replacement shard can go on with a number.

import { getSystemErrorName } from 'node:util';
import { type Endpoint, formatEndpoint, isUnspecified, parseIp } from '../base/ip.ts';
import type { SocketCalls } from './socket-calls.ts';

/** An open, bound UDP socket. */
export interface UdpDescriptor {
  readonly fd: number;
  readonly family: 4 | 6;
  /** The kernel tells which address was asked, and takes it back with the reply. */
  readonly isWildcard: boolean;
  readonly endpoint: Endpoint;
  /** The system's own number of the socket, never used again, unlike `fd`; undefined where it has none. */
  readonly cookie: bigint | undefined;
}

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
const SO_RCVTIMEO = 20;
const SO_COOKIE = 57;
const IPPROTO_IP = 0;
const IP_PKTINFO = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;

const SOCKADDR_IN6_BYTES = 28;
const BUFFER_BYTES = 4 * 1024 * 1024;
/** How long a receive blocks before the shard looks at its stop flag. */
const RECEIVE_TIMEOUT_MICROSECONDS = 100_000;

/**
 * Open and bind. Later ones may be bound to the same endpoint `beside` it, and the kernel spreads datagrams over them
 * all; the first must find the endpoint free, or a second server would take its share of the first one's queries.
 * Throws an Error like Node's own, with `code`.
 */
export function openUdpDescriptor(calls: SocketCalls, endpoint: Endpoint, beside: boolean): UdpDescriptor {
  const address = parseIp(endpoint.address)!;
  const { family } = address;
  const isWildcard = isUnspecified(address);
  const fd = calls.socket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError(calls, 'socket', endpoint);
  try {
    const set = (level: number, option: number, value: Uint8Array): void => {
      if (calls.setsockopt(fd, level, option, value, value.length) < 0)
        throw systemError(calls, 'setsockopt', endpoint);
    };
    if (beside) set(SOL_SOCKET, SO_REUSEPORT, int32(1));
    set(SOL_SOCKET, SO_RCVBUF, int32(BUFFER_BYTES));
    set(SOL_SOCKET, SO_SNDBUF, int32(BUFFER_BYTES));
    set(SOL_SOCKET, SO_RCVTIMEO, timeval(RECEIVE_TIMEOUT_MICROSECONDS));
    if (family === 6) set(IPPROTO_IPV6, IPV6_V6ONLY, int32(1));
    if (isWildcard)
      set(family === 4 ? IPPROTO_IP : IPPROTO_IPV6, family === 4 ? IP_PKTINFO : IPV6_RECVPKTINFO, int32(1));
    const name = socketAddress(address.bytes, endpoint.port);
    if (calls.bind(fd, name, name.length) < 0) throw systemError(calls, 'bind', endpoint);
    if (!beside) set(SOL_SOCKET, SO_REUSEPORT, int32(1));
    const bound = { ...endpoint, port: boundPort(calls, fd) };
    return { fd, family, isWildcard, endpoint: bound, cookie: cookieOf(calls, fd) };
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}

/** Is the descriptor still the socket that was opened? It may have been closed, and its number be another file's. */
export function isStillOpen(calls: SocketCalls, { fd, cookie }: UdpDescriptor): boolean {
  const name = Buffer.alloc(SOCKADDR_IN6_BYTES);
  return calls.getsockname(fd, name, int32(name.length)) === 0 && cookieOf(calls, fd) === cookie;
}

function cookieOf(calls: SocketCalls, fd: number): bigint | undefined {
  const cookie = Buffer.alloc(8);
  return calls.getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, int32(8)) === 0 ? cookie.readBigUInt64LE() : undefined;
}

/** sockaddr_in or sockaddr_in6. */
function socketAddress(address: Uint8Array, port: number): Uint8Array {
  const name = Buffer.alloc(address.length === 4 ? 16 : SOCKADDR_IN6_BYTES);
  name.writeUInt16LE(address.length === 4 ? AF_INET : AF_INET6, 0);
  name.writeUInt16BE(port, 2);
  name.set(address, address.length === 4 ? 4 : 8);
  return name;
}

function boundPort(calls: SocketCalls, fd: number): number {
  const name = Buffer.alloc(SOCKADDR_IN6_BYTES);
  const length = int32(name.length);
  calls.getsockname(fd, name, length);
  return name.readUInt16BE(2);
}

function int32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function timeval(microseconds: number): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(Math.floor(microseconds / 1_000_000)), 0);
  bytes.writeBigInt64LE(BigInt(microseconds % 1_000_000), 8);
  return bytes;
}

/** In the shape of Node's own errors. */
function systemError(calls: SocketCalls, syscall: string, endpoint: Endpoint): Error {
  const errno = -calls.errno();
  const code = getSystemErrorName(errno);
  const { address, port } = endpoint;
  return Object.assign(new Error(`${syscall} ${code} ${formatEndpoint(endpoint)}`), {
    errno,
    code,
    syscall,
    address,
    port,
  });
}
