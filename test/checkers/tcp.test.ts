// tcp.test.ts -- the tcp check against real sockets, plain and TLS

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, describe, it } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { TcpChecker } from '../../src/checkers/tcp.ts';
import type { CheckTls } from '../../src/health/check-spec.ts';
import { DEFAULT_PROBE_NETWORKS } from '../../src/health/probe-address.ts';
import { type Behaviour, type Subject, testChecker } from '../conformance/checkers.ts';
import { makeCertificate } from '../support/certificate.ts';
import { closedPort, Peer } from '../support/peer.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';

const options = { networks: DEFAULT_PROBE_NETWORKS, isOwnListener: () => false };
const certificate = makeCertificate();
after(() => certificate.remove());

async function startPlain(behaviour: Behaviour): Promise<Subject> {
  if (behaviour === 'absent') {
    return { check: checkSpec('tcp', { port: await closedPort() }), released: async () => {}, close: async () => {} };
  }
  const peer = await Peer.listen(createServer());
  return subjectOf(peer);
}

async function startTls(behaviour: Behaviour): Promise<Subject> {
  if (behaviour === 'absent') return startPlain('absent');
  // A hanging peer takes the connection and never answers the handshake; a critical one has a certificate that
  // nobody trusts.
  const peer = await Peer.listen(
    behaviour === 'hanging' ? createServer((socket) => socket.resume()) : createTlsServer(certificate),
  );
  return subjectOf(peer, behaviour === 'critical' ? {} : { caFile: certificate.certFile });
}

function subjectOf(peer: Peer, tls?: CheckTls): Subject {
  const check = checkSpec('tcp', { host: '127.0.0.1', port: peer.port, ...(tls === undefined ? {} : { tls }) });
  return { check, released: () => peer.released(), close: () => peer.close() };
}

const NO_TALK = 'a tcp check reads nothing';
testChecker('tcp', {
  create: () => new TcpChecker(options),
  start: startPlain,
  skips: {
    critical: 'whoever accepts is passing',
    hanging: 'the kernel accepts for a process that hangs; see the TLS run',
    flooding: NO_TALK,
  },
});
testChecker('tcp with TLS', { create: () => new TcpChecker(options), start: startTls, skips: { flooding: NO_TALK } });

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
