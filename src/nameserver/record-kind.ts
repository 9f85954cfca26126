// record-kind.ts -- which instances have a record of what is asked for

import { parseIp } from '../base/ip.ts';
import { formatType, TYPE } from '../dns/codes.ts';
import type { AnsweringInstance } from '../registry/member.ts';
import { bindingOf } from './service-binding.ts';

/** Which port SRV records carry. */
export interface PortChoice {
  readonly name: string;
  readonly proto: 'tcp' | 'udp';
}

/** What a question is for. */
export interface RecordKind {
  /** Tells kinds apart. */
  readonly key: string;
  has(instance: AnsweringInstance): boolean;
}

/** The kind of records of a type, `choice` for SRV; undefined: every instance has one. */
export function recordKind(type: number, choice: PortChoice | undefined): RecordKind | undefined {
  switch (type) {
    case TYPE.A:
      return ADDRESSES;
    case TYPE.AAAA:
      return IPV6_ADDRESSES;
    case TYPE.TXT:
      return METADATA;
    case TYPE.HTTPS:
      return HTTPS;
    case TYPE.SRV: {
      if (choice === undefined) return undefined;
      const { name, proto } = choice;
      return { key: `${proto} ${name}`, has: (instance) => namedPort(instance, choice) !== undefined };
    }
    default:
      return undefined;
  }
}

const ADDRESSES = addressKind(TYPE.A, 4);
const IPV6_ADDRESSES = addressKind(TYPE.AAAA, 6);
const METADATA: RecordKind = { key: 'TXT', has: ({ meta }) => Object.keys(meta).length > 0 };
const HTTPS: RecordKind = { key: 'HTTPS', has: (instance) => bindingOf(TYPE.HTTPS, instance) !== undefined };

function addressKind(type: number, family: 4 | 6): RecordKind {
  return { key: formatType(type), has: ({ address }) => parseIp(address)?.family === family };
}

/** The port of an instance by its name; undefined: it has none of that name and protocol. */
export function namedPort(instance: AnsweringInstance, { name, proto }: PortChoice): number | undefined {
  const named = Object.hasOwn(instance.ports, name) ? instance.ports[name] : undefined;
  return named?.proto === proto ? named.port : undefined;
}
