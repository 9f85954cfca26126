// socket-calls.ts -- the system calls behind batched UDP, reached through koffi (Linux, 64 bit)
//
// Node's own dgram costs one recvmsg and one sendmsg per datagram, and cannot tell which address was asked. With
// recvmmsg and sendmmsg one call moves a batch, and IP_PKTINFO carries the asked address both ways. Nobody frees the
// buffers while C looks at them, because whoever calls keeps them in long-lived objects: the optimising compiler drops
// locals that are no longer read, and the kernel then answers EFAULT.

import { createRequire } from 'node:module';

export const EINTR = 4;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const ENOBUFS = 105;
export const MSG_DONTWAIT = 0x40;
export const MSG_WAITFORONE = 0x10000;
export const POLLIN = 1;

/** The calls, bound for this thread. All return -1 on failure, with the reason in `errno()`. */
export interface SocketCalls {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number;
  /** `value` and `length` (four octets) are written. */
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array): number;
  /** `address` and `length` (four octets) are written. */
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  close(fd: number): number;
  /** `messages` is an array of mmsghdr; returns how many datagrams came. */
  recvmmsg(fd: number, messages: Uint8Array, count: number, flags: number, timeout: null): number;
  sendmmsg(fd: number, messages: Uint8Array, count: number, flags: number): number;
  /** `descriptors` is an array of pollfd. */
  poll(descriptors: Uint8Array, count: number, timeoutMs: number): number;
  errno(): number;
  /** Where a buffer's octets are, for pointers inside structures. */
  addressOf(buffer: Uint8Array): bigint;
}

interface Koffi {
  load(path: null): { func(signature: string): unknown };
  errno(): number;
  address(buffer: Uint8Array): bigint;
}

/** Structures are laid out for 64-bit little-endian Linux. */
const ARCHITECTURES = new Set(['x64', 'arm64', 'riscv64', 'loong64']);

/** Load the calls; a text that says why when they are not to be had here. */
export function loadSocketCalls(): SocketCalls | string {
  if (process.platform !== 'linux') return `no recvmmsg on ${process.platform}`;
  if (!ARCHITECTURES.has(process.arch)) return `structures of ${process.arch} are not known`;
  let koffi: Koffi;
  try {
    koffi = createRequire(import.meta.url)('koffi') as Koffi;
  } catch {
    return 'koffi is not installed';
  }
  try {
    const c = koffi.load(null);
    return {
      socket: c.func('int socket(int, int, int)') as SocketCalls['socket'],
      bind: c.func('int bind(int, uint8_t *, unsigned int)') as SocketCalls['bind'],
      setsockopt: c.func('int setsockopt(int, int, int, uint8_t *, unsigned int)') as SocketCalls['setsockopt'],
      getsockopt: c.func('int getsockopt(int, int, int, uint8_t *, uint8_t *)') as SocketCalls['getsockopt'],
      getsockname: c.func('int getsockname(int, uint8_t *, uint8_t *)') as SocketCalls['getsockname'],
      close: c.func('int close(int)') as SocketCalls['close'],
      recvmmsg: c.func('int recvmmsg(int, uint8_t *, unsigned int, int, void *)') as SocketCalls['recvmmsg'],
      sendmmsg: c.func('int sendmmsg(int, uint8_t *, unsigned int, int)') as SocketCalls['sendmmsg'],
      poll: c.func('int poll(uint8_t *, unsigned long, int)') as SocketCalls['poll'],
      errno: () => koffi.errno(),
      addressOf: (buffer) => koffi.address(buffer),
    };
  } catch (error) {
    return `the C library lacks a call: ${error instanceof Error ? error.message : String(error)}`;
  }
}
