// install-peers.ts -- installs the servers to compare with and what loads them from Debian's packages (npm run bench:peers)

import { findTool, requireTools } from '../support/tools.ts';
import { HAPROXY_PROGRAM } from './gateway-peers/haproxy.ts';
import { CONTESTANTS } from './peers/peer-table.ts';

/** What asks, and what durable registrations and the gateway are measured beside. */
const BESIDE = [
  { name: 'dnsperf', packages: 'dnsperf' },
  { name: 'etcd', packages: 'etcd-server' },
  { name: 'wrk', packages: 'wrk' },
  HAPROXY_PROGRAM,
];

/**
 * Install what is missing, without starting any service. Needs root and apt-get. Says on stderr what there is and what
 * could not be had; true when nothing is missing. One package at a time, so that one failure costs one server only.
 */
export async function installPeers(): Promise<boolean> {
  let isComplete = true;
  const programs = CONTESTANTS.flatMap(({ program }) => program ?? []);
  for (const { name, packages } of [...BESIDE, ...programs]) {
    let trouble = '';
    const skip = (message?: string) => {
      trouble = message ?? 'missing';
    };
    await requireTools({ skip }, { [name]: packages }).catch((error: Error) => skip(error.message));
    const path = findTool(name);
    isComplete &&= path !== undefined;
    console.error(`${name}: ${path ?? trouble}`);
  }
  return isComplete;
}
