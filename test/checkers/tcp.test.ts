// tcp.test.ts -- the tcp check against real sockets, plain and TLS

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { after, describe, it } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { TcpChecker } from '../../src/checkers/tcp.ts';
import type { CheckTls } from '../../src/health/check-spec.ts';
import { type Behaviour, PROBE_OPTIONS, type Subject, testChecker } from '../conformance/checkers.ts';
import { makeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/free-port.ts';
import { Peer } from '../support/peer.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';
import { babblingServer, dribblingServer, resettingServer, silentServer, TLS_RECORD } from '../support/unruly-peer.ts';

const options = PROBE_OPTIONS;
const certificate = makeCertificate();
after(() => certificate.remove());

const at = (host: string, port: number) => checkSpec('tcp', { host, port });
const tlsAt = (host: string, port: number) => checkSpec('tcp', { host, port, tls: { caFile: certificate.certFile } });

const SERVERS: Readonly<Partial<Record<Behaviour, () => Server>>> = {
  passing: () => createTlsServer(certificate),
  critical: () => createTlsServer(certificate),
  silent: silentServer,
  dribbling: () => dribblingServer(TLS_RECORD),
  resetting: resettingServer,
  babbling: babblingServer,
};

async function startWith(server: Server, address: string, check: typeof at): Promise<Subject> {
  const peer = await Peer.listen(server, address);
  const { port } = peer;
  return { check: check(address, port), port, released: () => peer.released(), close: () => peer.close() };
}

async function startAbsent(address: string): Promise<Subject> {
  const port = await freePort();
  return { check: at(address, port), port, released: async () => {}, close: async () => {} };
}

const NO_TALK = 'a tcp check reads nothing';
testChecker('tcp', {
  create: (given) => new TcpChecker(given),
  start: (behaviour, address) =>
    behaviour === 'absent' ? startAbsent(address) : startWith(createServer(), address, at),
  at,
  skips: {
    critical: 'whoever accepts is passing',
    silent: 'the kernel accepts for a process that hangs; see the TLS run',
    hanging: NO_TALK,
    dribbling: NO_TALK,
    flooding: NO_TALK,
    resetting: 'it was there, which is all that was asked',
    babbling: NO_TALK,
  },
});
testChecker('tcp with TLS', {
  create: (given) => new TcpChecker(given),
  start: (behaviour, address) => {
    if (behaviour === 'absent') return startAbsent(address);
    // A critical one has a certificate that nobody trusts.
    const check = behaviour === 'critical' ? (host: string, port: number) => ({ ...at(host, port), tls: {} }) : tlsAt;
    return startWith(SERVERS[behaviour]!(), address, check);
  },
  at: tlsAt,
  skips: { hanging: 'there is nothing after the handshake', flooding: NO_TALK },
});

describe('tcp check', () => {
  it("connects to the instance's own address and port unless told otherwise", async () => {
    const peer = await Peer.listen(createServer(), '127.0.0.2');
    const checker = new TcpChecker(options);
    const target = probeTarget(checkSpec('tcp'), { address: '127.0.0.2', port: peer.port });
    const result = await checker.probe(target);
    assert.deepEqual([result.outcome, result.output], ['passing', `TCP connect 127.0.0.2:${peer.port}: success`]);
    await peer.close();
  });

  it('tries every address of a name', async () => {
    const peer = await Peer.listen(createServer());
    const checker = new TcpChecker(options);
    const result = await checker.probe(probeTarget(checkSpec('tcp', { host: 'localhost', port: peer.port })));
    assert.equal(result.outcome, 'passing', result.output);
    await peer.close();
  });

  const tlsCases: readonly (readonly [string, CheckTls, string, 'passing' | 'critical'])[] = [
    ['an untrusted certificate', {}, '127.0.0.1', 'critical'],
    ['skipVerify', { skipVerify: true }, '127.0.0.1', 'passing'],
    ['a trusted one', { caFile: certificate.certFile }, '127.0.0.1', 'passing'],
    ['a trusted one by name', { caFile: certificate.certFile }, 'localhost', 'passing'],
    ['a name it carries', { caFile: certificate.certFile, serverName: 'cart.example' }, '127.0.0.1', 'passing'],
    ['a name it does not carry', { caFile: certificate.certFile, serverName: 'evil.example' }, '127.0.0.1', 'critical'],
    [
      'an address it does not carry',
      { caFile: certificate.certFile, serverName: '127.0.0.9' },
      '127.0.0.1',
      'critical',
    ],
    ['a device for a caFile', { caFile: '/dev/zero' }, '127.0.0.1', 'critical'],
    ['a missing caFile', { caFile: '/no/such/file' }, '127.0.0.1', 'critical'],
  ];
  for (const [title, tls, host, expected] of tlsCases) {
    it(`TLS: ${title} is ${expected}`, async () => {
      const peer = await Peer.listen(createTlsServer(certificate));
      const result = await new TcpChecker(options).probe(probeTarget(checkSpec('tcp', { host, port: peer.port, tls })));
      assert.equal(result.outcome, expected, result.output);
      await peer.released();
      await peer.close();
    });
  }
});
