// read-streams.ts -- the sections of `dns` about streams: `tcp`, `tls` and `proxyProtocol`

import { type Endpoint, formatEndpoint, type IpPrefix } from '../base/ip.ts';
import { STREAM_LIMITS, type StreamLimits } from '../net/connection-table.ts';
import type { InputObject } from '../registry/input.ts';
import { readNetworks } from '../registry/input-forms.ts';
import type { DnsConfig } from './config.ts';
import { checkPair } from './pem-pair.ts';
import { readEndpoints, readPath, type SectionSource } from './section.ts';

const MAX_CONNECTIONS = 100_000;
const MIN_TIMEOUT_MS = 100;
/** More than RFC 7828 can tell: 65,535 tenths of a second. */
const MAX_TIMEOUT_MS = 60 * 60 * 1000;

/** Read `dns.tcp`. */
export function readTcp(input: InputObject): StreamLimits {
  const timeout = (key: string): number | undefined => input.duration(key, MIN_TIMEOUT_MS, MAX_TIMEOUT_MS);
  const limits: StreamLimits = {
    maxConnections: input.integer('maxConnections', 1, MAX_CONNECTIONS) ?? STREAM_LIMITS.maxConnections,
    maxPerSource: input.integer('maxPerSource', 1, MAX_CONNECTIONS) ?? STREAM_LIMITS.maxPerSource,
    idleTimeoutMs: timeout('idleTimeout') ?? STREAM_LIMITS.idleTimeoutMs,
    firstQueryTimeoutMs: timeout('firstQueryTimeout') ?? STREAM_LIMITS.firstQueryTimeoutMs,
    writeTimeoutMs: timeout('writeTimeout') ?? STREAM_LIMITS.writeTimeoutMs,
  };
  input.finish();
  return limits;
}

/** Read `dns.tls`; `plain` are the endpoints of `dns.listen`. */
export function readDnsTls(source: SectionSource, input: InputObject, plain: readonly Endpoint[]): DnsConfig['tls'] {
  const listen = readEndpoints(input, 'listen') ?? [];
  const certFile = readPath(source, input, 'certFile');
  const keyFile = readPath(source, input, 'keyFile');
  input.finish();
  checkPair(input, certFile, keyFile);
  const taken = plain.map(formatEndpoint);
  for (const endpoint of listen) {
    if (endpoint.port === 0 || !taken.includes(formatEndpoint(endpoint))) continue;
    input.fail('listen', `${formatEndpoint(endpoint)} is in dns.listen already, without TLS`);
  }
  if (listen.length === 0) return undefined;
  if (certFile === undefined && keyFile === undefined) input.fail('certFile', 'is missing: TLS needs a certificate');
  return certFile === undefined || keyFile === undefined ? undefined : { listen, certFile, keyFile };
}

/** Read `dns.proxyProtocol`. */
export function readProxyProtocol(input: InputObject): readonly IpPrefix[] {
  const networks = readNetworks(input, 'from') ?? [];
  input.finish();
  return networks;
}
