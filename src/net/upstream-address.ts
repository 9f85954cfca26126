// upstream-address.ts -- where names outside every zone are asked for, as one writes it down

import { type Endpoint, formatEndpoint, parseEndpoint, parseIp } from '../base/ip.ts';

/** A resolver that questions are forwarded to. */
export interface UpstreamAddress {
  readonly endpoint: Endpoint;
  /** DNS over TLS (RFC 7858); without a name, the certificate has to be for the address. */
  readonly tls: { readonly serverName: string | undefined } | undefined;
}

const DNS_PORT = 53;
const TLS_PORT = 853;
const SCHEME = 'tls://';
const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/**
 * Read `9.9.9.9`, `9.9.9.9:53`, `[2620:fe::9]:53`, `2620:fe::9`, or with DNS over TLS `tls://1.1.1.1`,
 * `tls://1.1.1.1:853#cloudflare-dns.com`. Undefined when it is none of these.
 */
export function parseUpstream(text: string): UpstreamAddress | undefined {
  const isTls = text.startsWith(SCHEME);
  const hash = isTls ? text.indexOf('#') : -1;
  const place = text.slice(isTls ? SCHEME.length : 0, hash < 0 ? undefined : hash);
  const endpoint = parsePlace(place, isTls ? TLS_PORT : DNS_PORT);
  if (endpoint === undefined || endpoint.port === 0) return undefined;
  if (!isTls) return { endpoint, tls: undefined };
  const serverName = hash < 0 ? undefined : text.slice(hash + 1).replace(/\.$/, '');
  if (serverName !== undefined && !HOST_NAME.test(serverName)) return undefined;
  return { endpoint, tls: { serverName } };
}

function parsePlace(text: string, port: number): Endpoint | undefined {
  const bare = parseIp(text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text);
  return bare === undefined ? parseEndpoint(text) : { address: bare.text, port };
}

/** Text that reads back as the same; also the name of an upstream in metrics and logs. */
export function formatUpstream({ endpoint, tls }: UpstreamAddress): string {
  if (tls === undefined) return formatEndpoint(endpoint);
  return `${SCHEME}${formatEndpoint(endpoint)}${tls.serverName === undefined ? '' : `#${tls.serverName}`}`;
}
