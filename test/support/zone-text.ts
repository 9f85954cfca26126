// zone-text.ts -- a zone as master-file text

import { TYPE } from '../../src/dns/codes.ts';
import { formatRRset } from '../../src/dns/presentation.ts';
import { nodesOf, type Zone } from '../../src/zone/zone.ts';

/** The records with absolute names, one a line: the SOA first, then in canonical order of owners and by type. */
export function formatZone(zone: Zone): string {
  const lines = formatRRset(zone.soa);
  for (const node of nodesOf(zone)) {
    const sets = [...node.sets.values()].filter((set) => set.type !== TYPE.SOA).sort((a, b) => a.type - b.type);
    for (const set of sets) lines.push(...formatRRset(set));
  }
  return `${lines.join('\n')}\n`;
}
