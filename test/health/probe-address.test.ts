// probe-address.test.ts -- which networks checks may reach

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIp, parseNetwork } from '../../src/base/ip.ts';
import { DEFAULT_PROBE_NETWORKS, isProbeAllowed } from '../../src/health/probe-address.ts';

const networks = (allow: readonly string[], deny: readonly string[]) => ({
  allow: allow.flatMap((each) => parseNetwork(each)!),
  deny: deny.flatMap((each) => parseNetwork(each)!),
});

describe('isProbeAllowed', () => {
  const allowed = [
    '127.0.0.1',
    '::1',
    '10.1.2.3',
    '192.168.0.1',
    '8.8.8.8',
    '2001:db8::1',
    'fc00::1',
    '169.253.0.1',
    '64:ff9b::a00:1',
    '64:ff9b:1:a00:0:100:a00:1',
    '2001:0:a00:1::f5ff:fffe',
    '2001:1::a9fe:a9fe',
    '::ffff:0:a00:1',
    '2002:a00:1::',
  ];
  const denied = [
    '169.254.169.254',
    '::ffff:169.254.169.254',
    'fe80::1',
    '224.0.0.251',
    '239.1.1.1',
    'ff02::fb',
    '0.0.0.0',
    '0.1.2.3',
    '::',
    '64:ff9b::169.254.169.254',
    '2002:a9fe:a9fe::1',
    '::169.254.169.254',
    '::224.0.0.1',
    '::ffff:0:a9fe:a9fe',
    '64:ff9b:1::a9fe:a9fe',
    '64:ff9b:1:a9fe:a9:fe00:a00:1',
    '2001:0:a9fe:a9fe::f5ff:fffe',
    '2001:0:a00:1::5601:5601',
  ];
  for (const text of allowed)
    it(`${text} by default`, () => assert.equal(isProbeAllowed(parseIp(text)!, DEFAULT_PROBE_NETWORKS), true));
  for (const text of denied)
    it(`not ${text} by default`, () => assert.equal(isProbeAllowed(parseIp(text)!, DEFAULT_PROBE_NETWORKS), false));

  const cases: readonly (readonly [string, readonly string[], readonly string[], boolean])[] = [
    ['169.254.1.1', ['169.254.1.0/24'], ['link-local'], true],
    ['169.254.2.1', ['169.254.1.0/24'], ['link-local'], false],
    ['10.0.0.1', [], ['private'], false],
    ['10.0.0.1', ['10.0.0.1'], ['0.0.0.0/0', '::/0'], true],
    ['64:ff9b::a00:1', ['10.0.0.1'], ['0.0.0.0/0'], true],
    ['2001:db8::1', [], ['0.0.0.0/0'], true],
    ['2001:db8::1', [], [], true],
  ];
  for (const [text, allow, deny, expected] of cases) {
    it(`${text} with allow [${allow}] and deny [${deny}]: ${expected}`, () => {
      assert.equal(isProbeAllowed(parseIp(text)!, networks(allow, deny)), expected);
    });
  }
});
