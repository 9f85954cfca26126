// lease-pages.ts -- how the ends of leases are packed into records, so that 100,000 heartbeats a second are 256 of them
//
// An id always falls on the same page. A page is text, a line for each lease: id, end, moment of registration. The
// numbers are in base 36; ids have no spaces.

/** A record of 100,000 leases each would be written whole for one heartbeat; 100,000 records are too many a second. */
export const PAGES = 256;

/** What is kept of one lease. */
export interface SavedLease {
  /** When it ends, in `LeaseClock` time. */
  expiresAtMs: number;
  /** `registrationMark` of the instance: tells it from an earlier one of its id. */
  readonly registered: string;
}

/** The moment of registration as it stands on a page. */
export function registrationMark(registeredAtMs: number): string {
  return registeredAtMs.toString(36);
}

/** The page that an id falls on, 0 to 255: FNV-1a over its characters. */
export function pageOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (PAGES - 1);
}

export function packLeases(leases: ReadonlyMap<string, SavedLease>): string {
  let text = '';
  for (const [id, { expiresAtMs, registered }] of leases) {
    text += `${id} ${Math.ceil(expiresAtMs).toString(36)} ${registered}\n`;
  }
  return text;
}

/** The leases of a page. What is not understood is left out: then the lease begins anew. */
export function unpackLeases(text: string): Map<string, SavedLease> {
  const leases = new Map<string, SavedLease>();
  for (const line of text.split('\n')) {
    const [id, expires = '', registered, ...rest] = line.split(' ');
    const expiresAtMs = Number.parseInt(expires, 36);
    if (!id || !registered || rest.length > 0 || Number.isNaN(expiresAtMs)) continue;
    leases.set(id, { expiresAtMs, registered });
  }
  return leases;
}
