// health.ts -- joins registry and health checks: who is probed, and where the results go

import { networkInterfaces } from 'node:os';
import type { Registry as MetricsRegistry } from 'prom-client';
import { type Clock, systemClock } from '../base/clock.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import { type Endpoint, isLoopback, isUnspecified, parseIp } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { closeCheckers, createCheckers } from '../checkers/checkers.ts';
import type { HealthConfig } from '../config/config.ts';
import type { CheckReport } from '../health/check-report.ts';
import type { Outcome } from '../health/check-spec.ts';
import { HealthMonitor, type Heartbeat } from '../health/monitor.ts';
import { checkAuthor } from '../registry/author.ts';
import type { InstanceState } from '../registry/instance.ts';
import type { Registry } from '../registry/registry.ts';
import { CheckSchedules } from '../schedule/check-schedules.ts';
import type { ClusterHost } from './cluster.ts';
import { exposeCheckMetrics } from './metrics.ts';

/** A start with more instances than this spreads the checks of those whose last outcomes are known. */
const SPREAD_ABOVE = 200;

export type ReportOutcome = (instanceId: string, checkId: string, result: CheckReport) => boolean;

export interface HealthWiring {
  readonly monitor: HealthMonitor;
  /** Feed the heartbeat checks of an instance; the outcome is in force when it returns. */
  heartbeat(instanceId: string, beat: Heartbeat): void;
  stop(): Promise<void>;
}

/** Start probing everything that is registered, and follow registrations from there. */
export function startHealth(
  registry: Registry,
  config: HealthConfig,
  surroundings: {
    log: Logger;
    metrics: MetricsRegistry;
    ownEndpoints: () => readonly Endpoint[];
    /** Who runs which checks, and what comes of results when several do. */
    cluster: ClusterHost;
    /** Takes what holds of a check: `reportTo` of the registry. */
    report: ReportOutcome;
  },
): HealthWiring {
  const { log, cluster, report } = surroundings;
  const clock: Clock = systemClock;
  const checkers = createCheckers({
    networks: { allow: config.allow, deny: config.deny },
    allowExec: config.allowExec,
    isOwnListener: (address, port) => isOwn(surroundings.ownEndpoints(), address, port),
  });
  const schedules = new CheckSchedules(log);
  const observe = exposeCheckMetrics(surroundings.metrics);
  const monitor = new HealthMonitor({
    clock,
    random: systemRandom,
    checkers,
    cron: ({ schedule = '', timezone }, fire) => schedules.start({ schedule, timezone }, fire),
    jitter: config.jitter,
    concurrency: config.concurrency,
    perHost: config.perHost,
    damping: config.damping,
    log,
    onResult: ({ instanceId, checkId, type, result, outcome, failing, damping }) => {
      observe(type, outcome, result.latencyMs);
      const joined = { ...result, outcome, failing, damping };
      // What comes from this node's configuration is this node's alone.
      const isOwn = registry.instance(instanceId)?.isStatic === true;
      if (isOwn || !cluster.report(instanceId, checkId, joined)) report(instanceId, checkId, joined);
    },
    onDeregister: (instanceId, checkId) => {
      // By what all who run it say.
      if (registry.instance(instanceId)?.checks[checkId]?.outcome !== 'critical') return;
      log.info({ instance: instanceId, check: checkId }, 'critical for too long, deregistering');
      registry.deregister(instanceId, checkAuthor(checkId)).catch((error: unknown) => {
        if (error instanceof CodedError && error.code === 'unknown_instance') return; // another node was faster
        log.warn({ instance: instanceId, reason: errorMessage(error) }, 'could not be deregistered');
      });
    },
  });
  const watch = (state: InstanceState, spread: boolean): void => {
    const { id } = state.instance;
    if (state.isStatic || cluster.isMine(id)) watchInstance(monitor, state, { spread, beats: !cluster.isShared });
    else monitor.unwatch(id);
  };
  const isSpread = (): boolean => registry.instanceCount > SPREAD_ABOVE;
  for (const state of registry.instances()) if (state.instance.checks.length > 0) watch(state, isSpread());
  cluster.onAssignments((id) => {
    const state = registry.instance(id);
    // What is watched here is watched as it is registered: changes come below.
    if (state === undefined || state.isStatic || monitor.isWatched(id) === cluster.isMine(id)) return;
    watch(state, isSpread());
  });
  const unsubscribe = registry.onChange(({ kind, instance }) => {
    if (instance === undefined) return;
    if (kind === 'deregister') monitor.unwatch(instance.instance.id);
    else if (kind === 'register' || kind === 'update') watch(instance, false);
  });
  return {
    monitor,
    heartbeat(instanceId, beat) {
      // Where several nodes may get them, the store judges for all.
      if (cluster.isShared && registry.instance(instanceId)?.isStatic === false) registry.beat(instanceId, beat);
      else monitor.heartbeat(instanceId, beat);
    },
    async stop() {
      unsubscribe();
      monitor.stop();
      schedules.stop();
      await closeCheckers(checkers);
    },
  };
}

/** Carries outcomes into the registry. `onFailing`: `isFailing` changed, and nothing else that its listeners hear of. */
export function reportTo(registry: Registry, onFailing: (state: InstanceState) => void): ReportOutcome {
  return (instanceId, checkId, result) => {
    const isFailingNews = registry.reportResult(instanceId, checkId, result);
    const state = isFailingNews ? registry.instance(instanceId) : undefined;
    if (state !== undefined) onFailing(state);
    return isFailingNews;
  };
}

/** `beats`: heartbeat checks are judged here too; otherwise by the store, for all nodes. */
function watchInstance(
  monitor: HealthMonitor,
  { instance, checks, isStatic }: InstanceState,
  { spread, beats }: { spread: boolean; beats: boolean },
): void {
  const judged = beats || isStatic ? instance.checks : instance.checks.filter(({ type }) => type !== 'heartbeat');
  const restored: Record<string, Outcome> = {};
  for (const check of instance.checks) {
    const { outcome, isRestored } = checks[check.id] ?? {};
    // An `initial` that was never tried is no result: what follows is counted from it.
    if (outcome !== undefined && (check.initial === undefined || isRestored)) restored[check.id] = outcome;
  }
  const targets = judged.map((check) => ({
    instanceId: instance.id,
    service: instance.service,
    address: instance.address,
    port: instance.port,
    isStatic,
    check,
  }));
  // Who has never been probed is waited for, so only the others may be put off.
  const isKnown = judged.every((check) => restored[check.id] !== undefined);
  monitor.watch(instance.id, targets, { restored, spread: spread && isKnown });
}

/** Does this endpoint belong to us? A listener on a wildcard is at every address of the machine. */
function isOwn(endpoints: readonly Endpoint[], address: string, port: number): boolean {
  return endpoints.some((endpoint) => {
    if (endpoint.port !== port) return false;
    const own = parseIp(endpoint.address);
    return endpoint.address === address || (own !== undefined && isUnspecified(own) && isOfThisMachine(address));
  });
}

function isOfThisMachine(text: string): boolean {
  const address = parseIp(text);
  if (address !== undefined && isLoopback(address)) return true;
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some((each) => each.address === text));
}
