// srv-endpoints.test.ts -- draws among SRV records (RFC 2782)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import { serviceHost } from '../../src/client/endpoint-source.ts';
import { drawSrv, type SrvEndpoint } from '../../src/client/srv-endpoints.ts';

const DRAWS = 20_000;

const record = (priority: number, weight: number, port: number): SrvEndpoint => {
  return { priority, weight, address: '10.0.0.1', port };
};

function sharesOf(endpoints: readonly SrvEndpoint[]): Record<string, number> {
  const random = seededRandom(1);
  const shares: Record<string, number> = {};
  for (let i = 0; i < DRAWS; i++) {
    const { port } = drawSrv(endpoints, random)!;
    shares[port] = (shares[port] ?? 0) + 1 / DRAWS;
  }
  return shares;
}

describe('a draw among SRV records', () => {
  const cases: readonly (readonly [string, readonly SrvEndpoint[], Record<string, number>])[] = [
    ['one', [record(0, 0, 1)], { 1: 1 }],
    ['equal weights', [record(0, 5, 1), record(0, 5, 2)], { 1: 0.5, 2: 0.5 }],
    ['weights', [record(0, 300, 1), record(0, 100, 2)], { 1: 0.75, 2: 0.25 }],
    ['no weights', [record(0, 0, 1), record(0, 0, 2)], { 1: 0.5, 2: 0.5 }],
    ['the lowest priority only', [record(10, 9, 1), record(5, 1, 2)], { 2: 1 }],
    ['a very small chance without a weight', [record(0, 999, 1), record(0, 0, 2)], { 1: 0.999, 2: 0.001 }],
  ];
  for (const [what, endpoints, expected] of cases) {
    it(`goes by ${what}`, () => {
      const shares = sharesOf(endpoints);
      for (const [port, share] of Object.entries(expected)) {
        const actual = shares[port] ?? 0;
        assert.ok(Math.abs(actual - share) < 0.015, `${port}: ${actual}, not ${share}`);
      }
      assert.deepEqual(Object.keys(shares), Object.keys(expected));
    });
  }

  it('finds nothing among none', () => {
    assert.equal(drawSrv([], seededRandom(1)), undefined);
  });
});

describe('a host', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['cart.service.local', 'cart'],
    ['CART.Service.Local.', 'cart'],
    ['v2.eu.cart.service.local', 'cart v2 eu'],
    ['cart.example', 'cart'],
    ['service.local', undefined],
    ['.service.local', undefined],
    ['cart.service.local.org', undefined],
    ['cartservice.local', undefined],
    ['localhost', undefined],
    ['127.0.0.1', undefined],
    ['[::1]', undefined],
  ];
  for (const [host, expected] of cases) {
    it(`${host} is ${expected ?? 'no service'}`, () => {
      const found = serviceHost(host, ['service.local', 'example']);
      assert.equal(found === undefined ? undefined : [found.service, ...found.tags].join(' '), expected);
    });
  }
});
