// check-url.ts -- the URLs of grpc and dns checks, taken apart
//
//   grpc://host:port[/service]   grpcs:// by TLS; without a service the server as a whole is asked for
//   dns://host[:port]/name[?type=A]   after RFC 4501; port 53 and type A unless said
//
// Hosts are only taken apart here: what they may be is judged where they are resolved.

import { parseIp } from '../base/ip.ts';

/** What a grpc check asks. */
export interface GrpcUrl {
  /** Without brackets around an IPv6 address. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Empty: the server as a whole. */
  readonly service: string;
}

/** What a dns check asks. */
export interface DnsUrl {
  readonly host: string;
  readonly port: number;
  /** Without a trailing dot; the root is empty. */
  readonly name: string;
  readonly type: DnsQuestionType;
}

/** The types a dns check may ask for: those whose names and data dns2 writes and reads without loss. */
export const DNS_QUESTION_TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT', 'CAA'] as const;

export type DnsQuestionType = (typeof DNS_QUESTION_TYPES)[number];

const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]{1,253}))(?::([1-9]\d{0,4}))?$/;
/** A fully qualified name of a protobuf service. */
const SERVICE = /^[A-Za-z_][\w]*(?:\.[A-Za-z_][\w]*)*$/;
const LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;

/** Take a grpc URL apart; a string says what is wrong with it. */
export function parseGrpcUrl(text: string): GrpcUrl | string {
  const match = /^(grpcs?):\/\/([^/?#]*)(?:\/([^?#]*))?$/.exec(text);
  if (match === null) return 'must be like grpc://host:port or grpcs://host:port/service';
  const authority = parseAuthority(match[2]!);
  if (typeof authority === 'string') return authority;
  if (authority.port === undefined) return 'names no port';
  const service = match[3] ?? '';
  if (service.length > 255 || (service !== '' && !SERVICE.test(service))) return 'names no service like cart.v1.Cart';
  return { host: authority.host, port: authority.port, isTls: match[1] === 'grpcs', service };
}

/** Take a dns URL apart; a string says what is wrong with it. */
export function parseDnsUrl(text: string): DnsUrl | string {
  const match = /^dns:\/\/([^/?#]*)\/([^?#]*)(?:\?([^#]*))?$/.exec(text);
  if (match === null) return 'must be like dns://host:port/name?type=A';
  const authority = parseAuthority(match[1]!);
  if (typeof authority === 'string') return authority;
  const name = match[2]!.replace(/\.$/, '');
  const isName = name.length <= 253 && (match[2] === '.' || name.split('.').every((label) => LABEL.test(label)));
  if (!isName) return 'asks for no name: letters, digits, - and _, joined by dots';
  const stated = match[3] === undefined ? 'A' : /^type=([A-Za-z]+)$/i.exec(match[3])?.[1]?.toUpperCase();
  const type = DNS_QUESTION_TYPES.find((each) => each === stated);
  if (type === undefined) return `must end in ?type= and one of ${DNS_QUESTION_TYPES.join(', ')}`;
  return { host: authority.host, port: authority.port ?? 53, name, type };
}

function parseAuthority(text: string): { host: string; port: number | undefined } | string {
  if (text.includes('@')) return 'must not contain credentials';
  const match = AUTHORITY.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || (match?.[1] !== undefined && parseIp(host) === undefined)) return 'names no host';
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  return port !== undefined && port > 65535 ? 'names a port beyond 65535' : { host, port };
}
