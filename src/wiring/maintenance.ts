// maintenance.ts -- joins the maintenance schedules of the configuration and the registry

import type { Logger } from '../base/log.ts';
import type { Registry } from '../registry/registry.ts';
import { type MaintenanceSchedule, type RunningSchedules, startSchedules } from '../schedule/maintenance-schedules.ts';
import type { ClusterHost } from './cluster.ts';

/** Switch maintenance at the times of the schedules, until stopped. */
export function startMaintenance(
  schedules: readonly MaintenanceSchedule[],
  registry: Registry,
  log: Logger,
  cluster: ClusterHost,
): RunningSchedules {
  return startSchedules(schedules, {
    log,
    // Every node has them, and one acts.
    isOurs: () => cluster.isElected,
    run: async ({ maintenance, target, name }) => {
      const reason = maintenance === 'on' ? `schedule ${name}` : undefined;
      const by = { kind: 'schedule', id: name } as const;
      if ('service' in target) await registry.setServiceMaintenance(target.service, reason, by);
      else await registry.setMaintenance(target.instance, reason, by);
    },
  });
}
