// udp-descriptor.test.ts -- sockets opened by number: where they are bound, who may share, and whether they are still there

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import os from 'node:os';
import { afterEach, describe, it } from 'node:test';
import { loadSocketCalls, type SocketCalls } from '../../src/net/socket-calls.ts';
import { isStillOpen, openUdpDescriptor, type UdpDescriptor } from '../../src/net/udp-descriptor.ts';

const loaded = loadSocketCalls();
const unavailable = typeof loaded === 'string' ? `no shards here: ${loaded}` : false;
const calls = loaded as SocketCalls;
const hasIpv6 = Object.values(os.networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));

const opened: UdpDescriptor[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) if (isStillOpen(calls, each)) calls.close(each.fd);
});

function open(address: string, port = 0, beside = false): UdpDescriptor {
  const descriptor = openUdpDescriptor(calls, { address, port }, beside);
  opened.push(descriptor);
  return descriptor;
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

describe('a UDP descriptor', { skip: unavailable }, () => {
  const endpoints = [
    ['127.0.0.1', 4, false],
    ['0.0.0.0', 4, true],
    ['::1', 6, false],
    ['::', 6, true],
  ] as const;
  for (const [address, family, isWildcard] of endpoints) {
    it(`is bound to ${address}, at a port that it tells`, { skip: family === 6 && !hasIpv6 }, () => {
      const descriptor = open(address);
      assert.deepEqual(
        { family: descriptor.family, isWildcard: descriptor.isWildcard, address: descriptor.endpoint.address },
        { family, isWildcard, address },
      );
      assert.ok(descriptor.endpoint.port > 0);
      assert.ok(isStillOpen(calls, descriptor));
    });
  }

  it('leaves IPv4 to others on the wildcard of IPv6', { skip: !hasIpv6 }, () => {
    const { port } = open('::').endpoint;
    assert.equal(open('0.0.0.0', port).endpoint.port, port);
  });

  it('shares its endpoint with those opened beside it, and with nobody else', () => {
    const { port } = open('127.0.0.1').endpoint;
    assert.equal(open('127.0.0.1', port, true).endpoint.port, port);
    assert.equal(open('127.0.0.1', port, true).endpoint.port, port);
    const before = openFiles();
    for (const address of ['127.0.0.1', '0.0.0.0']) {
      assert.throws(() => open(address, port), { code: 'EADDRINUSE', syscall: 'bind', port });
    }
    assert.equal(openFiles(), before, 'nothing is left open');
  });

  it('says who cannot be bound', () => {
    const before = openFiles();
    assert.throws(() => open('192.0.2.77'), { code: 'EADDRNOTAVAIL', address: '192.0.2.77' });
    assert.equal(openFiles(), before, 'nothing is left open');
  });

  it('is told apart from a socket that took its number', () => {
    const lost = open('127.0.0.1');
    calls.close(lost.fd);
    assert.equal(isStillOpen(calls, lost), false);
    const successor = open('127.0.0.1', lost.endpoint.port);
    assert.equal(successor.fd, lost.fd, 'the lowest free number is taken');
    assert.deepEqual([isStillOpen(calls, lost), isStillOpen(calls, successor)], [false, true]);
  });
});
