// cpu-quota.ts -- holds a running process to a share of one core, by a control group of its own

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';

/** Short, so that what is held back waits for less than a client notices. */
const PERIOD_US = 10_000;
const V1 = '/sys/fs/cgroup/cpu';
const V2 = '/sys/fs/cgroup';

/** False where control groups cannot be made: that takes root. Ends with the scope. */
export function holdToShare(scope: { after(cleanup: () => unknown): void }, pid: number, share: number): boolean {
  const isV2 = existsSync(`${V2}/cgroup.controllers`);
  const parent = isV2 ? V2 : V1;
  const group = `${parent}/rollcall-ordeal-${pid}`;
  const quotaUs = Math.round(PERIOD_US * share);
  try {
    if (isV2 && !readFileSync(`${V2}/cgroup.subtree_control`, 'utf8').includes('cpu')) return false;
    mkdirSync(group);
    scope.after(() => letGo(parent, group, pid));
    if (isV2) writeFileSync(`${group}/cpu.max`, `${quotaUs} ${PERIOD_US}`);
    else {
      writeFileSync(`${group}/cpu.cfs_period_us`, String(PERIOD_US));
      writeFileSync(`${group}/cpu.cfs_quota_us`, String(quotaUs));
    }
    writeFileSync(`${group}/cgroup.procs`, String(pid));
    return true;
  } catch {
    return false;
  }
}

function letGo(parent: string, group: string, pid: number): void {
  try {
    writeFileSync(`${parent}/cgroup.procs`, String(pid));
  } catch {
    // The process has ended, or the root takes none: then it ends with the scope.
  }
  try {
    rmdirSync(group);
  } catch {
    // Something is still in it. An empty group does no harm.
  }
}
