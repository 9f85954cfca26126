// metrics.test.ts -- the bound on service labels, and the registry

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMetricsRegistry, ServiceLabels } from '../../src/base/metrics.ts';

describe('service labels', () => {
  it('are the names of the first 1,000 services, then `other`', () => {
    const labels = new ServiceLabels();
    for (let i = 0; i < 1000; i++) assert.equal(labels.of(`s${i}`), `s${i}`);
    assert.equal(labels.of('late'), 'other');
    assert.equal(labels.of('later'), 'other');
    assert.equal(labels.of('s0'), 's0');
    assert.equal(labels.of('s999'), 's999');
  });

  it('are counted once each', () => {
    const labels = new ServiceLabels();
    for (let i = 0; i < 5000; i++) assert.equal(labels.of('same'), 'same');
    assert.equal(labels.of('another'), 'another');
  });
});

it('a registry holds the metrics of the process, and two do not share them', async () => {
  const [one, other] = [createMetricsRegistry(), createMetricsRegistry()];
  assert.match(await one.metrics(), /^process_cpu_user_seconds_total /m);
  assert.match(await one.metrics(), /^nodejs_eventloop_lag_seconds /m);
  one.clear();
  assert.match(await other.metrics(), /^process_cpu_user_seconds_total /m);
});
