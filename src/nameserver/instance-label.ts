// instance-label.ts -- the label of an instance in DNS-SD, `<label>._http._tcp.D` (RFC 6763 section 4.1.1)

import { createHash } from 'node:crypto';
import type { AnsweringInstance } from '../registry/member.ts';

/** The metadata that gives an instance a name for people, in any script, with spaces and dots. */
const NAME_KEY = 'instanceName';
const MAX_LABEL_OCTETS = 63;
const HASH_DIGITS = 8;

/**
 * The octets of the label as latin-1 text: the name in `meta.instanceName` where it fits a label, else the id; of an id
 * that does not fit, its beginning and a hash of the whole.
 */
export function instanceLabel({ id, meta }: Pick<AnsweringInstance, 'id' | 'meta'>): string {
  const named = Object.hasOwn(meta, NAME_KEY) ? labelOf(meta[NAME_KEY]!) : undefined;
  if (named !== undefined) return named;
  if (id.length <= MAX_LABEL_OCTETS) return id;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, HASH_DIGITS);
  return `${id.slice(0, MAX_LABEL_OCTETS - HASH_DIGITS - 1)}-${hash}`;
}

/** As names are compared: ASCII letters without case, every other octet as it is (RFC 4343). */
export function foldLabel(label: string): string {
  return label.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Net-Unicode (RFC 5198) is composed, and without control characters, which no metadata has. Undefined: it is no label. */
function labelOf(text: string): string | undefined {
  const octets = Buffer.from(text.normalize('NFC'));
  return octets.length > 0 && octets.length <= MAX_LABEL_OCTETS ? octets.toString('latin1') : undefined;
}
