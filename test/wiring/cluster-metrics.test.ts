// cluster-metrics.test.ts -- the metrics of a node among others, and of the revision that its store has come to

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry as MetricsRegistry } from 'prom-client';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { type ClusterFigures, exposeClusterMetrics } from '../../src/wiring/cluster-metrics.ts';
import { timedStore } from '../../src/wiring/metrics.ts';
import { FakeClock } from '../support/fake-clock.ts';

const FIGURES: ClusterFigures = { members: 3, isElected: true, checks: 40, silentMs: 0 };

async function hasLines(metrics: MetricsRegistry, expected: readonly string[]): Promise<void> {
  const lines = (await metrics.metrics()).split('\n');
  for (const line of expected) assert.ok(lines.includes(line), `${line} in\n${lines.join('\n')}`);
}

describe('the metrics of a cluster', () => {
  const rows: readonly (readonly [figures: Partial<ClusterFigures>, line: string])[] = [
    [{}, 'rollcall_cluster_members 3'],
    [{}, 'rollcall_cluster_elected 1'],
    [{ isElected: false }, 'rollcall_cluster_elected 0'],
    [{}, 'rollcall_cluster_checks_held 40'],
    [{}, 'rollcall_cluster_silent_seconds 0'],
    [{ silentMs: 2500 }, 'rollcall_cluster_silent_seconds 2.5'],
    [{ silentMs: Number.POSITIVE_INFINITY }, 'rollcall_cluster_silent_seconds +Inf'],
  ];
  for (const [figures, line] of rows) {
    it(line, async () => {
      const metrics = new MetricsRegistry();
      exposeClusterMetrics(metrics, () => ({ ...FIGURES, ...figures }));
      await hasLines(metrics, [line]);
    });
  }

  it('are read anew at every scrape', async () => {
    const metrics = new MetricsRegistry();
    let members = 1;
    exposeClusterMetrics(metrics, () => ({ ...FIGURES, members }));
    await hasLines(metrics, ['rollcall_cluster_members 1']);
    members = 2;
    await hasLines(metrics, ['rollcall_cluster_members 2']);
  });
});

describe('rollcall_store_revision', () => {
  it('is that of the last load or batch', async () => {
    const metrics = new MetricsRegistry();
    const inner = openMemoryStore();
    await inner.commit([{ key: 'a', value: 1 }]);
    const store = timedStore(inner, metrics, new FakeClock());
    await hasLines(metrics, ['rollcall_store_revision 0']);
    await store.load();
    await hasLines(metrics, ['rollcall_store_revision 1']);
    await inner.commit([{ key: 'a', value: 2 }]);
    await hasLines(metrics, ['rollcall_store_revision 2']);
    await store.close();
  });
});
