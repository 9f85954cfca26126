// machine.ts -- where a run was made: figures of two machines must not be compared

import { arch, cpus, release, type } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
  readonly node: string;
  /** How much of all CPUs was in use just before the run, 0 to 1. */
  readonly busyShare: number;
}

const WATCH_MS = 1000;
/** Above this, other work takes the cores that are measured on. */
const MAX_BUSY_SHARE = 0.05;

/** Describe this machine; watches for a second how busy it is. */
export async function describeMachine(): Promise<Machine> {
  const all = cpus();
  const before = cpuTimes();
  await sleep(WATCH_MS);
  const after = cpuTimes();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown CPU',
    cores: all.length,
    system: `${type()} ${release()} ${arch()}`,
    node: process.version,
    busyShare: 1 - (after.idle - before.idle) / (after.total - before.total),
  };
}

/** Whether other work runs beside the bench. */
export function isBusy({ busyShare }: Machine): boolean {
  return busyShare > MAX_BUSY_SHARE;
}

function cpuTimes(): { idle: number; total: number } {
  let idle = 0;
  let total = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    total += Object.values(times).reduce((sum, each) => sum + each, 0);
  }
  return { idle, total };
}
