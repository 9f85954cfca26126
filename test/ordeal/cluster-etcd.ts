// cluster-etcd.ts -- three nodes under load while etcd loses its leader, its links, or all of its members

import { LEAVE_LIMIT_MS, OUTAGE_NAMES, outagesUnderLoad } from '../support/cluster-outages.ts';
import { ETCD_TOOLS } from '../support/etcd-server.ts';
import { requireTools } from '../support/tools.ts';
import { type OrdealRow, type Scope, showProgress } from './ordeal-result.ts';

const QUERIES_PER_SECOND = 5_000;
const LEADER_GONE_MS = 15_000;
const ALL_GONE_MS = 30_000;
const EQUAL_LIMIT_MS = 5_000;

export async function clusterEtcd(scope: Scope): Promise<OrdealRow[]> {
  await requireTools(
    {
      skip: (why) => {
        throw new Error(why);
      },
    },
    ETCD_TOOLS,
  );
  let begun = 0;
  const { outages, load, wrong } = await outagesUnderLoad(scope, {
    perSecond: QUERIES_PER_SECOND,
    leaderGoneMs: LEADER_GONE_MS,
    allGoneMs: ALL_GONE_MS,
    onOutage: () => showProgress('cluster-etcd', begun++, OUTAGE_NAMES.length),
  });
  showProgress('cluster-etcd', OUTAGE_NAMES.length, OUTAGE_NAMES.length);
  for (const line of wrong) console.error(line);
  const asked = `${load.asked} queries at ${QUERIES_PER_SECOND}/s to three nodes, ${outages.length} outages`;
  return [
    {
      what: `lost of ${asked} (p99 ${load.p99Ms.toFixed(2)} ms, worst ${load.worstMs.toFixed(0)} ms)`,
      measured: String(load.lost.length),
      promised: '0',
      isKept: load.lost.length === 0,
    },
    { what: `wrong answers of these`, measured: String(wrong.length), promised: '0', isKept: wrong.length === 0 },
    ...outages.flatMap(({ name, leftMs, equalMs }): OrdealRow[] => [
      {
        what: `${name}: an instance that died meanwhile is out of all answers after`,
        measured: `${(leftMs / 1000).toFixed(1)} s`,
        promised: `<= ${(LEAVE_LIMIT_MS / 1000).toFixed(1)} s`,
        isKept: leftMs <= LEAVE_LIMIT_MS,
      },
      {
        what: `${name}: all nodes are equal and write, after it is mended`,
        measured: `${(equalMs / 1000).toFixed(1)} s`,
        promised: '<= 5 s',
        isKept: equalMs <= EQUAL_LIMIT_MS,
      },
    ]),
  ];
}
