// probe-host.test.ts -- whom a probe burdens

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CheckSpec } from '../../src/health/check-spec.ts';
import { probeHost } from '../../src/health/probe-host.ts';
import { checkSpec, probeTarget } from '../support/probe-target.ts';

describe('the host of a probe', () => {
  const rows: readonly (readonly [check: CheckSpec, host: string])[] = [
    [checkSpec('http', { url: 'http://10.0.0.7:8080/health' }), '10.0.0.7'],
    [checkSpec('http', { url: 'https://Cart.Example' }), 'cart.example'],
    [checkSpec('http', { url: 'http://[2001:db8::7]:80/' }), '2001:db8::7'],
    [checkSpec('http', { url: 'http://[::1]/' }), '::1'],
    [checkSpec('grpc', { url: 'grpc://10.0.0.8:50051/cart.v1' }), '10.0.0.8'],
    [checkSpec('dns', { url: 'dns://[2001:db8::53]/example.com?type=A' }), '2001:db8::53'],
    [checkSpec('tcp', { host: 'db.internal', port: 5432 }), 'db.internal'],
    [checkSpec('tcp', { port: 5432 }), '192.0.2.9'],
    [checkSpec('exec', { args: ['/bin/true'] }), 'exec'],
  ];
  for (const [check, host] of rows) {
    it(`of ${check.url ?? check.host ?? check.type} is ${host}`, () =>
      assert.equal(probeHost(probeTarget(check, { address: '192.0.2.9' })), host));
  }
});
