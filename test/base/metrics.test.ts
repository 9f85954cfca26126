// metrics.test.ts -- the registry

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createMetricsRegistry } from '../../src/base/metrics.ts';

it('a registry holds the metrics of the process, and two do not share them', async () => {
  const [one, other] = [createMetricsRegistry(), createMetricsRegistry()];
  assert.match(await one.metrics(), /^process_cpu_user_seconds_total /m);
  assert.match(await one.metrics(), /^nodejs_eventloop_lag_seconds /m);
  one.clear();
  assert.match(await other.metrics(), /^process_cpu_user_seconds_total /m);
});
