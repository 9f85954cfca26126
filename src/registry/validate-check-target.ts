// validate-check-target.ts -- what a tcp, grpc, dns or exec check asks, from untrusted input

import { formatEndpoint, parseIp } from '../base/ip.ts';
import type { CheckSpec, CheckTls } from '../health/check-spec.ts';
import { parseDnsUrl, parseGrpcUrl } from '../health/check-url.ts';
import type { InputObject } from './input.ts';
import { isHostName } from './label.ts';

/** The instance that a check belongs to, for what it leaves out. */
export interface CheckOwner {
  readonly address: string;
  readonly port: number;
}

const MAX_URL_LENGTH = 2048;

export function readTcpTarget(input: InputObject, owner: CheckOwner): Partial<CheckSpec> {
  const tls = readCheckTls(input);
  return { ...readEndpoint(input, owner), ...(tls === undefined ? {} : { tls }) };
}

/** A URL, a path that is a service of the instance itself, or host and port; stored as a URL in any case. */
export function readGrpcTarget(input: InputObject, owner: CheckOwner): Partial<CheckSpec> {
  const stated = input.text('url', MAX_URL_LENGTH);
  const tls = readCheckTls(input);
  const { host, port } = readEndpoint(input, owner);
  const isWhole = stated !== undefined && !stated.startsWith('/');
  for (const key of ['host', 'port']) if (isWhole && input.has(key)) input.fail(key, "cannot stand beside 'url'");
  const endpoint = formatEndpoint({ address: host, port });
  const url = isWhole ? stated : `${input.has('tls') ? 'grpcs' : 'grpc'}://${endpoint}${stated ?? ''}`;
  const parsed = parseGrpcUrl(url);
  if (typeof parsed === 'string') input.fail('url', parsed);
  else if (!isHost(parsed.host)) input.fail('url', HOST_IN_URL);
  else if (input.has('tls') && !parsed.isTls) input.fail('tls', 'needs a grpcs:// url');
  return { url, ...(tls === undefined ? {} : { tls }) };
}

/** A URL, or a path that asks the instance itself; stored as a URL in any case. */
export function readDnsTarget(input: InputObject, owner: CheckOwner): Partial<CheckSpec> {
  const stated = input.text('url', MAX_URL_LENGTH);
  if (stated === undefined) return input.has('url') ? {} : (input.fail('url', 'is missing') ?? {});
  const url = stated.startsWith('/') ? `dns://${formatEndpoint(owner)}${stated}` : stated;
  const parsed = parseDnsUrl(url);
  if (typeof parsed === 'string') input.fail('url', parsed);
  else if (!isHost(parsed.host)) input.fail('url', HOST_IN_URL);
  return { url };
}

export function readExecTarget(input: InputObject, isAllowed: boolean): Partial<CheckSpec> {
  if (!isAllowed) return input.fail('type', "exec checks are off; 'health.allowExec' turns them on") ?? {};
  const list = input.list('args', 64);
  if (list === undefined || list.length === 0) return input.fail('args', 'must name a program and its arguments') ?? {};
  const args = list.filter(
    (each): each is string => typeof each === 'string' && each.length <= 4096 && !each.includes('\0'),
  );
  if (args.length < list.length || !args[0]!.startsWith('/')) {
    input.fail('args', 'must be strings, the first the absolute path of a program');
  }
  return { args };
}

/** The `tls` field, where it stands. */
export function readCheckTls(check: InputObject): CheckTls | undefined {
  const input = check.object('tls');
  if (input === undefined) return undefined;
  const skipVerify = input.boolean('skipVerify');
  const serverName = input.text('serverName', 253);
  if (serverName !== undefined && !isHost(serverName)) input.fail('serverName', HOST);
  const caFile = input.text('caFile', 1024);
  if (caFile !== undefined && !caFile.startsWith('/')) input.fail('caFile', 'must be an absolute path');
  input.finish();
  return {
    ...(skipVerify === undefined ? {} : { skipVerify }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(caFile === undefined ? {} : { caFile }),
  };
}

function readEndpoint(input: InputObject, owner: CheckOwner): { host: string; port: number } {
  const host = input.text('host', 253);
  if (host !== undefined && !isHost(host)) input.fail('host', HOST);
  return { host: host ?? owner.address, port: input.integer('port', 1, 65535) ?? owner.port };
}

const HOST = 'must be an IP address or a host name';
const HOST_IN_URL = 'must name an IP address or a host name';

/** Spellings of an address that only a resolver would take for one are none of either. */
function isHost(text: string): boolean {
  return parseIp(text) !== undefined || isHostName(text);
}
