// resolver.test.ts -- hosts that checks must not reach, in every spelling, through every checker

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { parseNetwork } from '../../src/base/ip.ts';
import { closeCheckers, createCheckers } from '../../src/checkers/checkers.ts';
import { Resolver } from '../../src/checkers/resolver.ts';
import { CHECK_TYPES } from '../../src/health/check-spec.ts';
import { DEFAULT_PROBE_NETWORKS } from '../../src/health/probe-address.ts';
import { Peer } from '../support/peer.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';

const isOwnListener = (address: string, port: number) => address === '127.0.0.1' && port === 8500;
const options = { networks: DEFAULT_PROBE_NETWORKS, isOwnListener, allowExec: false };

describe('denied networks', () => {
  const metadata = [
    '169.254.169.254',
    '2852039166',
    '0xa9fea9fe',
    '0251.0376.0251.0376',
    '169.254.43518',
    '0xa9.254.169.0376',
  ];
  const six = [
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::',
    'fe80::1',
    'ff02::1',
    '::',
  ];
  for (const host of [...metadata, '0.0.0.0', '0', '224.0.0.1', ...six]) {
    it(`${host} is refused`, async () => {
      const checkers = createCheckers(options);
      const url = `http://${host.includes(':') ? `[${host}]` : host}:80/latest`;
      const http = await checkers.http?.probe(probeTarget(checkSpec('http', { url })));
      const tcp = await checkers.tcp?.probe(probeTarget(checkSpec('tcp', { host, port: 80 })));
      for (const result of [http, tcp]) {
        assert.equal(result?.outcome, 'critical');
        assert.match(result?.output ?? '', /^refused: .* is in a network that checks may not reach$/);
      }
      await closeCheckers(checkers);
    });
  }

  it('an address with a zone id is refused', async () => {
    await assert.rejects(new Resolver(options).permitted('fe80::1%lo', 80));
  });

  it('a name is judged by what it resolves to', async () => {
    const networks = { allow: [], deny: parseNetwork('loopback')! };
    await assert.rejects(
      new Resolver({ networks, isOwnListener }).permitted('localhost', 80),
      /^ProbeRefusal: refused: localhost \(/,
    );
  });

  it('allow wins over deny', async () => {
    const networks = { allow: parseNetwork('127.0.0.1/32')!, deny: parseNetwork('loopback')! };
    const resolver = new Resolver({ networks, isOwnListener });
    assert.deepEqual(
      (await resolver.permitted('localhost', 80)).map((address) => address.text),
      ['127.0.0.1'],
    );
    await assert.rejects(resolver.permitted('127.0.0.2', 80), /refused/);
  });
});

describe("the server's own listeners", () => {
  for (const host of ['127.0.0.1', '2130706433', '127.1', '::ffff:127.0.0.1', 'localhost']) {
    it(`${host} is refused`, async () => {
      await assert.rejects(new Resolver(options).permitted(host, 8500), /refused: 127.0.0.1:8500 is one of/);
      assert.notDeepEqual(await new Resolver(options).permitted(host, 8501), []);
    });
  }

  it('0.0.0.0 stands for loopback even where it is allowed', async () => {
    const networks = { allow: parseNetwork('unspecified')!, deny: [] };
    await assert.rejects(new Resolver({ networks, isOwnListener }).permitted('0.0.0.0', 8500), /own listeners/);
  });

  it('no connection is made to a listener that is refused', async () => {
    const peer = await Peer.listen(createServer());
    const checkers = createCheckers({ ...options, isOwnListener: (_, port) => port === peer.port });
    const check = checkSpec('tcp', { host: '127.0.0.1', port: peer.port });
    assert.equal((await checkers.tcp?.probe(probeTarget(check)))?.outcome, 'critical');
    const url = `http://localhost:${peer.port}/`;
    assert.equal((await checkers.http?.probe(probeTarget(checkSpec('http', { url }))))?.outcome, 'critical');
    assert.equal(peer.accepted, 0);
    await closeCheckers(checkers);
    await peer.close();
  });
});

it('there is a checker for every type that is probed', () => {
  const checkers = createCheckers(options);
  assert.deepEqual(
    CHECK_TYPES.filter((type) => checkers[type] === undefined),
    ['heartbeat'],
  );
});
