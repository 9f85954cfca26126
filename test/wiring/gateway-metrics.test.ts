// gateway-metrics.test.ts -- what is counted of requests through the gateway, as a scrape shows it

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry as MetricsRegistry } from 'prom-client';
import type { ExchangeRecord } from '../../src/gateway/exchange-record.ts';
import { ServicePlaces } from '../../src/nameserver/service-places.ts';
import { GatewayMetrics } from '../../src/wiring/gateway-metrics.ts';

const RECORD: ExchangeRecord = {
  route: 'cart',
  service: 'cart-service',
  instance: 'cart-1',
  method: 'GET',
  target: '/',
  host: 'shop.example',
  client: '192.0.2.1',
  requestId: 'id-1',
  protocol: 'HTTP/1.1',
  status: 200,
  error: undefined,
  attempts: 1,
  durationMs: 12,
  upstreamMs: 4,
  queuedMs: 0,
  received: 0,
  sent: 10,
};

function make(): { counted: GatewayMetrics; scrape: () => Promise<string> } {
  const registry = new MetricsRegistry();
  const gauges = { inFlight: () => 3, queued: () => 2, upgrades: () => 1, connections: () => 7 };
  const counted = new GatewayMetrics(registry, new ServicePlaces(), gauges);
  return { counted, scrape: () => registry.metrics() };
}

describe('the metrics of the gateway', () => {
  it('count requests, further attempts, refusals and ejections', async () => {
    const { counted, scrape } = make();
    counted.note(RECORD);
    counted.note(RECORD);
    counted.note({ ...RECORD, status: 502, attempts: 3, error: 'upstream_failed' });
    const none = { route: undefined, service: undefined, instance: undefined, upstreamMs: undefined };
    counted.note({ ...RECORD, ...none, status: 404, attempts: 0, error: 'no_route' });
    counted.noteEjection('cart-service');
    const expected = [
      'rollcall_gateway_requests_total{service="cart-service",code="200"} 2',
      'rollcall_gateway_requests_total{service="cart-service",code="502"} 1',
      'rollcall_gateway_requests_total{service="",code="404"} 1',
      'rollcall_gateway_retries_total{service="cart-service"} 2',
      'rollcall_gateway_ejections_total{service="cart-service"} 1',
      'rollcall_gateway_refused_total{reason="upstream_failed"} 1',
      'rollcall_gateway_refused_total{reason="no_route"} 1',
      'rollcall_gateway_in_flight 3',
      'rollcall_gateway_queued 2',
      'rollcall_gateway_upgrades 1',
      'rollcall_gateway_connections 7',
    ];
    for (const text of [await scrape(), await scrape()]) {
      const lines = text.split('\n');
      for (const line of expected) assert.ok(lines.includes(line), `${line} is not in\n${text}`);
    }
  });

  it('time requests by route, service and class, but not upgraded connections', async () => {
    const { counted, scrape } = make();
    counted.note(RECORD);
    counted.note({ ...RECORD, durationMs: 60_000, upstreamMs: undefined });
    counted.note({ ...RECORD, status: 101, durationMs: 3_600_000 });
    counted.note({ ...RECORD, service: 'other-service', status: 503 });
    const lines = (await scrape()).split('\n');
    const labels = 'route="cart",service="cart-service",code="2xx"';
    const expected = [
      `rollcall_gateway_duration_seconds_bucket{${labels},le="0.01"} 0`,
      `rollcall_gateway_duration_seconds_bucket{${labels},le="0.025"} 1`,
      `rollcall_gateway_duration_seconds_bucket{${labels},le="30"} 1`,
      `rollcall_gateway_duration_seconds_bucket{${labels},le="+Inf"} 2`,
      `rollcall_gateway_duration_seconds_sum{${labels}} 60.012`,
      `rollcall_gateway_duration_seconds_count{${labels}} 2`,
      'rollcall_gateway_duration_seconds_count{route="cart",service="other-service",code="5xx"} 1',
      'rollcall_gateway_upstream_duration_seconds_count{service="cart-service"} 2',
    ];
    for (const line of expected) assert.ok(lines.includes(line), `${line} is not in\n${lines.join('\n')}`);
    assert.ok(!lines.some((line) => line.includes('1xx')), 'upgraded connections are timed');
  });

  it('name so many services and routes, and no more', async () => {
    const { counted, scrape } = make();
    for (let i = 0; i < 1500; i++) counted.note({ ...RECORD, route: `r${i}`, service: `s${i}` });
    const text = await scrape();
    assert.match(text, /rollcall_gateway_requests_total\{service="s999",code="200"\} 1\n/);
    assert.match(text, /rollcall_gateway_requests_total\{service="other",code="200"\} 500\n/);
    assert.match(text, /_count\{route="other",service="other",code="2xx"\} 500\n/);
    assert.ok(!text.includes('s1000"') && !text.includes('r1000"'), 'a name too many');
  });
});
