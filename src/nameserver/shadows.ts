// shadows.ts -- which registered names static records hide (contract section 2, "Static beside dynamic")

import type { Problem } from '../base/errors.ts';
import { formatType, TYPE } from '../dns/codes.ts';
import { formatName, type Name, NameError, prependLabels } from '../dns/name.ts';
import { findNode } from '../zone/lookup.ts';
import type { Zone } from '../zone/zone.ts';

/** The types a service answers with; a static set of one of them takes its place. */
const SERVICE_TYPES: readonly number[] = [TYPE.A, TYPE.AAAA, TYPE.SRV, TYPE.TXT, TYPE.SVCB, TYPE.HTTPS];

/** Warnings for those of `services` (in the domain of `zone`) whose names static records hide wholly or in part. */
export function findShadows(zone: Zone, services: Iterable<string>): Problem[] {
  const problems: Problem[] = [];
  for (const service of services) {
    const names: [readonly string[], readonly number[]][] = [
      [[service], SERVICE_TYPES],
      [
        [`_${service}`, '_tcp'],
        [TYPE.SRV, TYPE.PTR],
      ],
      [[`_${service}`, '_udp'], [TYPE.SRV]],
    ];
    for (const [labels, types] of names) {
      const name = nameOf(labels, zone.apex);
      if (name === undefined) continue;
      const what = shadowAt(zone, name, types);
      if (what === undefined) continue;
      const message = `${what} hides service '${service}' at ${formatName(name)}`;
      problems.push({ file: zone.file, line: 0, column: 0, message, severity: 'warning' });
    }
  }
  return problems;
}

/** Undefined when that is too long for a name, as `_S` of a service of 63 characters is: nobody can ask for it. */
function nameOf(labels: readonly string[], apex: Name): Name | undefined {
  try {
    return prependLabels(labels, apex);
  } catch (thrown) {
    if (thrown instanceof NameError) return undefined;
    throw thrown;
  }
}

function shadowAt(zone: Zone, name: Name, types: readonly number[]): string | undefined {
  const found = findNode(zone, name, () => false);
  if (found.kind === 'delegation') return `the delegation of ${formatName(found.cut.name)}`;
  if (found.kind !== 'node' || found.wildcard) return undefined;
  if (found.node.sets.has(TYPE.CNAME)) return 'a static CNAME';
  const hidden = types.filter((type) => found.node.sets.has(type));
  return hidden.length === 0 ? undefined : `the static ${hidden.map(formatType).join(', ')}`;
}
