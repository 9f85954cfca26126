// probe-host.ts -- whom a probe burdens: probes with the same answer share the limit of one host

import type { ProbeTarget } from './checker.ts';

/**
 * The host a probe connects to, as it is written: a name and its address count as two. Programs burden this machine;
 * they share a line of their own.
 */
export function probeHost({ address, check }: ProbeTarget): string {
  if (check.type === 'exec') return 'exec';
  const fromUrl = check.url === undefined ? undefined : HOST.exec(check.url)?.[1];
  return (fromUrl ?? check.host ?? address).toLowerCase();
}

/** The host of a URL of any scheme, without brackets. Credentials are not allowed in one (validate-check.ts). */
const HOST = /^[a-z]+:\/\/\[?([0-9a-f:.]+(?=\])|[^/?#:]+)/i;
