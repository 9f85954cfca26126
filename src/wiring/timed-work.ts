// timed-work.ts -- what changes answers as time passes: load and slow start, and progressive canaries

import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Registry } from '../registry/registry.ts';
import { CheckSchedules } from '../schedule/check-schedules.ts';
import type { ClusterHost } from './cluster.ts';
import type { DataPlane } from './data-plane.ts';
import { Dynamics } from './dynamics.ts';
import type { GatewayHost } from './gateway.ts';
import { Rollouts } from './rollouts.ts';

export interface TimedWork {
  readonly dynamics: Dynamics;
  readonly rollouts: Rollouts;
  stop(): Promise<void>;
}

/** Begin, when the registry is loaded and those who must hear of its changes first do. */
export function startTimedWork(
  registry: Registry,
  surroundings: { clock: Clock; log: Logger; dns: DataPlane; gateway: GatewayHost; cluster: ClusterHost },
): TimedWork {
  const { clock, log, dns, gateway, cluster } = surroundings;
  const tallies = gateway.tallyOf.bind(gateway);
  const schedules = new CheckSchedules(log);
  const dynamics = new Dynamics({
    registry,
    clock,
    tell: (news) => {
      dns.tellReadings(news);
      for (const service of news.keys()) gateway.tell(service);
    },
  });
  const rollouts = new Rollouts({
    registry,
    clock,
    log,
    cron: schedules.start.bind(schedules),
    tallies,
    isElected: () => cluster.isElected,
  });
  cluster.onElected(() => rollouts.electionChanged());
  return {
    dynamics,
    rollouts,
    async stop() {
      dynamics.stop();
      schedules.stop();
      await rollouts.stop();
    },
  };
}
