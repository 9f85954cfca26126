// read-gateway.ts -- the `gateway` section: where it listens, whom it believes, and which requests go where

import type { Problem } from '../base/errors.ts';
import { type Endpoint, formatEndpoint, isUnspecified, parseIp } from '../base/ip.ts';
import { DEFAULT_GATEWAY } from '../gateway/gateway-defaults.ts';
import type { AccessLogSettings } from '../gateway/gateway-settings.ts';
import { readSettings } from '../gateway/read-settings.ts';
import type { AuthorityField } from '../gateway/read-upstream.ts';
import type { InputObject } from '../registry/input.ts';
import { readTexts, section, shorten } from '../registry/input-forms.ts';
import type { Config, GatewayConfig } from './config.ts';
import type { ConfigTree } from './config-tree.ts';
import { checkPair, readAuthorities } from './pem-pair.ts';
import { readEndpoints, readPath, type SectionSource } from './section.ts';

const MAX_REDACTED_NAME = 128;

/** Read the section. `others`: whose endpoints are taken. */
export function readGateway(source: SectionSource, others: Pick<Config, 'dns' | 'http'>): GatewayConfig {
  const input = section(source.root, 'gateway');
  const authorityFiles: string[] = [];
  const config: GatewayConfig = {
    listen: readListen(input, others),
    tls: readTls(source, section(input, 'tls')),
    settings: {
      ...readSettings(input, authorityField(source, authorityFiles)),
      accessLog: readAccessLog(section(input, 'accessLog')),
    },
    authorityFiles,
  };
  input.finish();
  return config;
}

/** `caFile` of a route; the files that are named are added to `files`. */
function authorityField(source: SectionSource, files: string[]): AuthorityField {
  return {
    key: 'caFile',
    read(tls) {
      const file = readPath(source, tls, 'caFile');
      if (file !== undefined) files.push(file);
      return readAuthorities(tls, file);
    },
  };
}

/** Warnings for a gateway that passes nothing on. */
export function warnOfIdleGateway({ listen, settings }: GatewayConfig, tree: ConfigTree): Problem[] {
  const warn = (path: string, message: string): Problem[] => [
    { ...tree.valuePlace(path), message: `${path}: ${message}`, severity: 'warning' },
  ];
  if (listen.length > 0 && settings.routes.length === 0) {
    return warn('gateway.listen', 'without gateway.routes every request is answered with 404');
  }
  if (listen.length === 0 && settings.routes.length > 0) {
    return warn('gateway.routes', 'nothing comes to them: gateway.listen names no endpoint');
  }
  return [];
}

function readListen(input: InputObject, { dns, http }: Pick<Config, 'dns' | 'http'>): readonly Endpoint[] {
  const listen = readEndpoints(input, 'listen') ?? [];
  const taken: readonly (readonly [key: string, endpoints: readonly Endpoint[]])[] = [
    ['http.listen', http.listen],
    ['dns.listen', dns.listen],
    ['dns.tls.listen', dns.tls?.listen ?? []],
  ];
  for (const endpoint of listen) {
    for (const [key, endpoints] of taken) {
      const other = endpoints.find((each) => collide(each, endpoint));
      if (other === undefined) continue;
      const as = other.address === endpoint.address ? '' : `, as ${formatEndpoint(other)}`;
      input.fail('listen', `${formatEndpoint(endpoint)} is in ${key} already${as}`);
    }
  }
  return listen;
}

/** Can only one of these TCP listeners be open? A wildcard is at every address of its family. */
function collide(a: Endpoint, b: Endpoint): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  const [one, other] = [parseIp(a.address)!, parseIp(b.address)!];
  if (one.family !== other.family) return false;
  return a.address === b.address || isUnspecified(one) || isUnspecified(other);
}

function readTls(source: SectionSource, input: InputObject): GatewayConfig['tls'] {
  const certFile = readPath(source, input, 'certFile');
  const keyFile = readPath(source, input, 'keyFile');
  input.finish();
  checkPair(input, certFile, keyFile);
  return certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile };
}

function readAccessLog(input: InputObject): AccessLogSettings {
  const { sample, redact } = DEFAULT_GATEWAY.accessLog;
  const names = readTexts(input, 'redact')?.flatMap(({ text, key }) => {
    if (text !== '' && text.length <= MAX_REDACTED_NAME) return text.toLowerCase();
    input.fail(key, `'${shorten(text)}' is not the name of a query parameter`);
    return [];
  });
  const settings = { sample: input.number('sample', 0, 1) ?? sample, redact: names ?? redact };
  input.finish();
  return settings;
}
