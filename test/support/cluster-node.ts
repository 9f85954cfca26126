// cluster-node.ts -- a node of a cluster inside a test: a registry and its cluster over a shared store, on a fake clock

import { silentLogger } from '../../src/base/log.ts';
import { Cluster, type ClusterSettings } from '../../src/cluster/cluster.ts';
import type { Outcome } from '../../src/health/check-spec.ts';
import type { Change } from '../../src/registry/change.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { StoredEntry } from '../../src/registry/stored.ts';
import type { FakeClock } from './fake-clock.ts';
import type { SharedWorld } from './shared-store.ts';

export interface ClusterNode {
  readonly name: string;
  readonly registry: Registry;
  readonly cluster: Cluster;
  /** Every change since it began. */
  readonly changes: Change[];
  /** What its own check found. */
  finds(instanceId: string, outcome: Outcome): void;
  statusOf(instanceId: string): string | undefined;
  stop(): Promise<void>;
}

let runs = 0;

/** Start a node and let it join. */
export async function startNode(
  world: SharedWorld,
  name: string,
  settings: ClusterSettings = { replicas: 2, quorum: 'majority' },
): Promise<ClusterNode> {
  const clock = world.clock as FakeClock;
  const store = world.open(name);
  const early: [StoredEntry, number][] = [];
  let cluster: Cluster | undefined;
  const registry = await Registry.open({
    store,
    clock,
    log: silentLogger,
    onForeign: (entry, revision) => {
      if (cluster === undefined) early.push([entry, revision]);
      else cluster.take(entry, revision);
    },
    fence: () => cluster!.fence(),
  });
  const changes: Change[] = [];
  registry.onChange((change) => changes.push(change));
  const made = new Cluster({
    store,
    clock,
    log: silentLogger,
    settings,
    self: { name, version: '1.0.0' },
    run: `run-${runs++}`,
    registry: {
      instance: (id) => registry.instance(id),
      instances: () => registry.instances(),
      onChange: (listener) => registry.onChange(listener),
      reportResult: (...args) => void registry.reportResult(...args),
    },
  });
  cluster = made;
  for (const [entry, revision] of early) made.take(entry, revision);
  await made.start([]);
  return {
    name,
    registry,
    cluster: made,
    changes,
    finds: (id, outcome) => made.report(id, 'alive', { outcome, output: `${name} found it ${outcome}`, latencyMs: 1 }),
    statusOf: (id) => registry.instance(id)?.status,
    async stop() {
      await made.stop();
      await registry.stop();
    },
  };
}
