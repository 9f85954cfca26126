// access-log.test.ts -- which requests get a line, and what it must not say

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AccessLog, redacted } from '../../src/gateway/access-log.ts';
import type { ExchangeRecord } from '../../src/gateway/exchange-record.ts';

const RECORD: ExchangeRecord = {
  route: 'cart',
  service: 'cart-service',
  instance: 'cart-1',
  method: 'GET',
  target: '/api/cart?token=secret&x=1',
  host: 'shop.example',
  client: '192.0.2.1',
  requestId: 'id-1',
  protocol: 'HTTP/1.1',
  status: 200,
  error: undefined,
  attempts: 1,
  durationMs: 12.3456,
  upstreamMs: 11.04,
  queuedMs: 0,
  received: 0,
  sent: 10,
};

function lines(sample: number, records: readonly ExchangeRecord[]): object[] {
  const written: object[] = [];
  const log = new AccessLog({ info: (fields) => written.push(fields) }, { sample, redact: ['token'] });
  for (const record of records) log.note(record);
  return written;
}

describe('the access log', () => {
  it('says what came of a request', () => {
    const { target: _, queuedMs: __, ...rest } = RECORD;
    const path = '/api/cart?token=[redacted]&x=1';
    assert.deepEqual(lines(1, [RECORD]), [{ ...rest, path, durationMs: 12.3, upstreamMs: 11 }]);
  });

  it('takes a sample by request id, and all failures', () => {
    const many = Array.from({ length: 4000 }, (_, i) => ({ ...RECORD, requestId: `id-${i}` }));
    const count = lines(0.25, many).length;
    assert.ok(count > 850 && count < 1150, `${count} lines`);
    assert.deepEqual(lines(0.25, many), lines(0.25, many));
    assert.equal(
      lines(
        0.0001,
        many.map((record) => ({ ...record, status: 502 })),
      ).length,
      4000,
    );
    assert.equal(lines(0, [{ ...RECORD, status: 502 }]).length, 0);
  });

  const rows: readonly (readonly [string, string])[] = [
    ['/x', '/x'],
    ['/x?', '/x?'],
    ['/x?a&token', '/x?a&token'],
    ['/x?token=', '/x?token=[redacted]'],
    ['/x?TOKEN=a=b&c=d', '/x?TOKEN=[redacted]&c=d'],
    ['/x?%74oken=a', '/x?%74oken=[redacted]'],
    ['/x?%zz=a&token=b', '/x?%zz=a&token=[redacted]'],
    ['/x?tokens=a&xtoken=b', '/x?tokens=a&xtoken=b'],
    ['/x?a=?token=b', '/x?a=?token=b'],
    [`/${'x'.repeat(5000)}`, `/${'x'.repeat(2047)}...`],
  ];
  for (const [target, expected] of rows) {
    it(`of ${target.slice(0, 30)}`, () => assert.equal(redacted(target, new Set(['token'])), expected));
  }
});
