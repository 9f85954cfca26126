// candidate.ts -- the instances behind one record, as one thing to choose

import type { Candidate } from '../balance/plan.ts';
import type { Member } from '../registry/member.ts';

/** What is known of members together: weights and connections add up, the lowest tier counts. `members` is not empty. */
export function candidateOf(
  key: string,
  members: readonly Member[],
  weightOf: (member: Member) => number,
  tierOf: (member: Member) => number,
  address?: Uint8Array,
): Candidate {
  const connections = meanOf(members, (member) => member.connections);
  return {
    key,
    address,
    weight: members.reduce((sum, member) => sum + weightOf(member), 0),
    tier: members.reduce((least, member) => Math.min(least, tierOf(member)), Number.POSITIVE_INFINITY),
    id: members.map(({ instance }) => instance.id).sort()[0]!,
    // Those that are not known are taken for as loaded as the others here.
    connections: connections === undefined ? undefined : connections * members.length,
    loadReports: members.reduce((sum, { loadReports = 0 }) => sum + loadReports, 0),
    loadTrust: meanOf(members, (member) => (member.connections === undefined ? undefined : (member.loadTrust ?? 1))),
    latencyMs: meanOf(members, (member) => member.latencyMs),
  };
}

function meanOf(members: readonly Member[], read: (member: Member) => number | undefined): number | undefined {
  let sum = 0;
  let count = 0;
  for (const member of members) {
    const value = read(member);
    if (value === undefined) continue;
    sum += value;
    count++;
  }
  return count === 0 ? undefined : sum / count;
}
