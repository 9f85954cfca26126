// timed-work.ts -- what changes answers as time passes: load and slow start, and progressive canaries

import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { View } from '../nameserver/view.ts';
import type { Registry } from '../registry/registry.ts';
import { CheckSchedules } from '../schedule/check-schedules.ts';
import { Dynamics } from './dynamics.ts';
import { Rollouts } from './rollouts.ts';
import type { Shards } from './shards.ts';

export interface TimedWork {
  readonly dynamics: Dynamics;
  readonly rollouts: Rollouts;
  stop(): Promise<void>;
}

/** Begin, when the registry is loaded and those who must hear of its changes first do. */
export function startTimedWork(
  registry: Registry,
  surroundings: { clock: Clock; log: Logger; view: () => View; shards: Shards | undefined },
): TimedWork {
  const { clock, log, view, shards } = surroundings;
  const schedules = new CheckSchedules(log);
  const dynamics = new Dynamics({
    registry,
    clock,
    tell: (news) => {
      for (const service of news.keys()) view().serviceChanged(service);
      shards?.tellReadings(news);
    },
  });
  const rollouts = new Rollouts({ registry, clock, log, cron: schedules.start.bind(schedules) });
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
