// cluster-outages.ts -- three nodes under a steady load while etcd loses its leader, its links, or all its members
//
// What may be answered is known at each moment: `steady` never changes, `leased` is kept by heartbeats, and the instances
// of `checked` are killed in the middle of each outage and started again after it.

import { setTimeout as sleep } from 'node:timers/promises';
import { type AnswerReport, type AnswerRun, answerText, preciseNowMs, startAnswerLoad } from './answer-runs.ts';
import { ClusterNodes } from './cluster-nodes.ts';
import { Heartbeats } from './heartbeats.ts';
import { ToyInstance } from './toy-instance.ts';

interface Scope {
  after(cleanup: () => unknown): void;
}

export interface OutagesOptions {
  readonly perSecond: number;
  /** How long etcd's leader, and then all of its members are gone. */
  readonly leaderGoneMs: number;
  readonly allGoneMs: number;
  readonly outages?: readonly OutageName[];
  onOutage?(name: string): void;
}

export interface OutageResult {
  readonly name: OutageName;
  /** From the end of an instance's process in the middle of it to the last question whose answer named it, at any node. */
  readonly leftMs: number;
  /** From the repair until all nodes tell the same and count each other, and one more registration is at all of them. */
  readonly equalMs: number;
}

export interface OutagesReport {
  readonly outages: readonly OutageResult[];
  readonly load: AnswerReport;
  /** Answers that were not as they had to be. */
  readonly wrong: readonly string[];
}

const NAMES = ['steady', 'leased', 'checked'];
const LEASE_TTL = '5s';
const HEARTBEAT_MS = 1500;
/** A node goes by what it sees itself when it has heard nothing for 5 s; then two checks of 1 s find it. */
export const LEAVE_LIMIT_MS = 5_000 + 500 + 2 * 1_100 + 500 + 1_000;
const EQUAL_PATIENCE_MS = 60_000;
/** Back in the answers: one check of 1 s, and whatever there is to settle. */
const RETURN_PATIENCE_MS = 30_000;

type Outage = (nodes: ClusterNodes, options: OutagesOptions) => Promise<() => Promise<void>>;

/** Each begins one outage and returns what ends it. */
const OUTAGES = {
  'leader killed': async ({ etcd }) => {
    const leader = await etcd.leader();
    await leader.kill();
    return async () => await leader.start();
  },
  'leader frozen': async ({ etcd }) => {
    const leader = await etcd.leader();
    leader.freeze();
    return async () => leader.thaw();
  },
  'leader cut off from the others': async ({ etcd }) => {
    etcd.cutMember(await etcd.leader());
    return async () => etcd.mend();
  },
  'what the leader sends is lost': async ({ etcd }) => {
    etcd.cutMember(await etcd.leader(), ['from']);
    return async () => etcd.mend();
  },
  'what is sent to the leader is lost': async ({ etcd }) => {
    etcd.cutMember(await etcd.leader(), ['to']);
    return async () => etcd.mend();
  },
  'one node cut off from etcd': async (nodes) => {
    nodes.etcd.cutClient('node2');
    return async () => nodes.etcd.mend();
  },
  'all members killed': async ({ etcd }) => {
    await Promise.all(etcd.members.map((each) => each.kill()));
    return async () => void (await Promise.all(etcd.members.map((each) => each.start())));
  },
  'all members frozen': async ({ etcd }) => {
    for (const each of etcd.members) each.freeze();
    return async () => {
      for (const each of etcd.members) each.thaw();
    };
  },
} satisfies Record<string, Outage>;

export type OutageName = keyof typeof OUTAGES;
export const OUTAGE_NAMES = Object.keys(OUTAGES) as OutageName[];

export async function outagesUnderLoad(scope: Scope, options: OutagesOptions): Promise<OutagesReport> {
  const nodes = await ClusterNodes.start(scope);
  const toys = await Promise.all(['127.0.0.2', '127.0.0.3', '127.0.0.4'].map((each) => ToyInstance.start(scope, each)));
  const steady = Array.from({ length: 8 }, (_, i) => `10.0.0.${i + 1}`);
  for (const [i, address] of steady.entries()) {
    await nodes.all[i % nodes.all.length]!.register('steady', `steady-${i}`, { address, port: 80 });
  }
  for (const toy of toys) await nodes.of('node1').register('checked', `at-${toy.address}`, toy.registration());
  const leased = ['10.1.0.1', '10.1.0.2'];
  for (const address of leased) {
    await nodes.of('node2').register('leased', `at-${address}`, { address, port: 80, leaseTtl: LEASE_TTL });
  }
  const heartbeats = new Heartbeats(
    nodes.all,
    leased.map((each) => `at-${each}`),
    HEARTBEAT_MS,
  );
  scope.after(() => heartbeats.stop());
  for (const each of nodes.all) {
    await each.until('checked', (all) => all.length === toys.length && all.every(({ status }) => status === 'healthy'));
  }
  await nodes.untilEqual(performance.now());
  const crew = await startAnswerLoad(scope, {
    servers: nodes.all.map(({ dns }) => dns),
    names: NAMES.map((each) => `${each}.service.local`),
    perSecond: options.perSecond,
  });
  const absences: Absence[] = [];
  const timed: { name: OutageName; equalMs: number; absence: Absence }[] = [];
  for (const [i, name] of (options.outages ?? OUTAGE_NAMES).entries()) {
    options.onOutage?.(name);
    const goneMs = name.startsWith('all ') ? options.allGoneMs : options.leaderGoneMs;
    const toy = toys[i % toys.length]!;
    const startedMs = performance.now();
    const repair = await OUTAGES[name](nodes);
    await sleep(goneMs / 4);
    const absence: Absence = { address: toy.address, goneMs: preciseNowMs(), leftMs: 0, backMs: 0, seenAgainMs: 0 };
    absences.push(absence);
    await toy.kill();
    await sleep(Math.max(0, goneMs - (performance.now() - startedMs)));
    const repairedMs = performance.now();
    await repair();
    const equalMs = await untilSame(nodes, repairedMs, i);
    // It may still be answered by then, if all are equally late.
    await sleep(Math.max(0, absence.goneMs + LEAVE_LIMIT_MS - preciseNowMs()));
    absence.backMs = preciseNowMs();
    await toy.restart();
    for (const each of nodes.all) await each.untilStatus('checked', `at-${toy.address}`, 'healthy', RETURN_PATIENCE_MS);
    await sleep(500);
    absence.seenAgainMs = preciseNowMs();
    timed.push({ name, equalMs, absence });
  }
  await sleep(1500);
  const load = await crew.stop();
  const wrong = judge(load.runs, absences, { steady, leased, checked: toys.map(({ address }) => address) });
  const outages = timed.map(({ name, equalMs, absence }) => ({
    name,
    equalMs,
    leftMs: absence.leftMs - absence.goneMs,
  }));
  return { outages, load, wrong: [...wrong, ...heartbeats.faults] };
}

/** All nodes tell the same, count each other, and what one takes all have. Milliseconds since the repair. */
async function untilSame(nodes: ClusterNodes, repairedMs: number, round: number): Promise<number> {
  const id = `probe-${round}`;
  const deadlineMs = repairedMs + EQUAL_PATIENCE_MS;
  for (;;) {
    const path = `/v1/services/probes/instances/${id}`;
    const { status } = await nodes.all[round % nodes.all.length]!.api('PUT', path, { address: '10.2.0.1', port: 80 });
    if (status < 300) break;
    if (performance.now() > deadlineMs) throw new Error(`no write is taken: ${status}`);
    await sleep(20);
  }
  await nodes.untilWhole(nodes.names, EQUAL_PATIENCE_MS);
  return await nodes.untilEqual(repairedMs);
}

/** An instance's process is not there; preciseNowMs(). */
interface Absence {
  readonly address: string;
  readonly goneMs: number;
  /** The last question whose answer named it was sent. */
  leftMs: number;
  /** Its process is started again. */
  backMs: number;
  /** Every node has it as healthy. */
  seenAgainMs: number;
}

/** What was answered and should not have been. Notes when those who went were last named. */
function judge(
  runs: readonly AnswerRun[],
  absences: readonly Absence[],
  expected: Readonly<Record<string, readonly string[]>>,
): string[] {
  const wrong: string[] = [];
  for (const each of absences) each.leftMs = each.goneMs;
  for (const run of runs) {
    const service = run.name.split('.')[0]!;
    const all = expected[service]!;
    const tell = (what: string) =>
      wrong.push(`node${run.server + 1} ${service}: ${what}: ${run.answer} (${run.count})`);
    if (service !== 'checked') {
      if (run.answer !== answerText(all)) tell('another answer than it always has');
      continue;
    }
    const [rcode, ...named] = run.answer.split(' ');
    if (rcode !== 'NOERROR' || named.some((each) => !all.includes(each))) tell('not an answer it can have');
    for (const address of all) {
      const during = absences.filter((each) => each.address === address);
      if (named.includes(address)) {
        for (const absence of during) {
          if (run.lastSentMs < absence.goneMs || run.fromMs >= absence.backMs) continue;
          absence.leftMs = Math.max(absence.leftMs, Math.min(run.lastSentMs, absence.backMs));
        }
      } else {
        const isExcused = during.some((each) => run.fromMs >= each.goneMs && run.lastSentMs <= each.seenAgainMs);
        if (!isExcused) tell(`${address} is missing`);
      }
    }
  }
  return wrong;
}
