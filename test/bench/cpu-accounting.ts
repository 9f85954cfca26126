// cpu-accounting.ts -- what a process and its children have used of the CPU, by the kernel's accounting (proc(5))

import { readdirSync, readFileSync } from 'node:fs';

/** CPU time since a process began, in microseconds. The kernel tells it in steps of 10 ms. */
export interface CpuTime {
  readonly userUs: number;
  readonly systemUs: number;
}

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

interface ProcessStat {
  readonly parent: number;
  readonly time: CpuTime;
}

/** The CPU time of a process with all its threads, and of all its descendants that are alive or were waited for. */
export function cpuTimeOf(pid: number): CpuTime {
  const stats = new Map<number, ProcessStat>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : undefined;
    if (stat !== undefined) stats.set(Number(name), stat);
  }
  if (!stats.has(pid)) throw new Error(`process ${pid} has ended`);
  let userUs = 0;
  let systemUs = 0;
  for (const [each, { time }] of stats) {
    if (!descends(each, pid, stats)) continue;
    userUs += time.userUs;
    systemUs += time.systemUs;
  }
  return { userUs, systemUs };
}

function descends(pid: number, ancestor: number, stats: ReadonlyMap<number, ProcessStat>): boolean {
  for (let each: number | undefined = pid; each !== undefined && each !== 0; each = stats.get(each)?.parent) {
    if (each === ancestor) return true;
  }
  return false;
}

function readStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // it has ended
  }
  return parseStat(text);
}

/** Fields of /proc/PID/stat, counted from the one behind the program's name: that may hold blanks and brackets. */
function parseStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = (at: number): number => Number(fields[at]);
  // utime, stime, cutime, cstime
  const time = { userUs: (ticks(11) + ticks(13)) * TICK_US, systemUs: (ticks(12) + ticks(14)) * TICK_US };
  return { parent: ticks(1), time };
}
