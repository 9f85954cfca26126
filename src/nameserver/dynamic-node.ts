// dynamic-node.ts -- a name that the registry makes, as the solver sees it

import type { Random } from '../base/random.ts';
import { TYPE } from '../dns/codes.ts';
import type { Name } from '../dns/name.ts';
import { type RRset, rrset } from '../dns/rrset.ts';
import type { Freshness } from './freshness.ts';
import type { PoolAnswers, PortChoice } from './pool-answers.ts';
import { drawRRset, type PreparedSet } from './prepared-set.ts';

/** What hot-answers.ts may keep of a node. */
export interface HotSource {
  readonly freshness: Freshness;
  /** The set that a question of this type draws from; undefined: the node has no records of that type. */
  set(type: number): PreparedSet | undefined;
}

export interface AddressRecord {
  readonly type: number;
  readonly ttlSeconds: number;
  readonly rdata: Uint8Array;
  readonly soleService: string | undefined;
}

/** An existing name; it may have no records at all. */
export interface DynamicNode {
  /** The service behind it, for the counters. */
  readonly service: string | undefined;
  /** The records of a type, drawn for this query; CNAME when the whole name is an alias. */
  rrset(type: number, owner: Name, random: Random): RRset | undefined;
  /** Undefined where answers are not to be kept. */
  readonly hot: HotSource | undefined;
  /** Of a name below `addr`: its one record, and the only service that has the address, if there is only one. */
  readonly address?: AddressRecord;
}

/** A name that exists only because something below it does (RFC 4592 section 2.2.2). */
export const EMPTY_NON_TERMINAL: DynamicNode = { service: undefined, rrset: () => undefined, hot: undefined };

/** `S.D` and `T.S.D`: addresses, SRV and metadata of a pool, or an alias. */
export function poolNode(
  service: string,
  freshness: Freshness,
  answers: PoolAnswers,
  mayBeAlias: boolean,
): DynamicNode {
  const alias = mayBeAlias ? answers.alias() : undefined;
  const set = (type: number): PreparedSet | undefined => {
    switch (type) {
      case TYPE.A:
        return answers.addresses(4);
      case TYPE.AAAA:
        return answers.addresses(6);
      case TYPE.SRV:
        return answers.services('@');
      case TYPE.TXT:
        return answers.texts();
      default:
        return undefined;
    }
  };
  return {
    service,
    rrset(type, owner, random) {
      if (type === TYPE.CNAME) {
        return alias === undefined ? undefined : rrset(owner, type, alias.ttlSeconds, [alias.target]);
      }
      // Those beside an alias are for when static records stand in its way (contract section 2).
      return draw(set(type), owner, random);
    },
    hot: alias === undefined ? { freshness, set } : undefined,
  };
}

/** `_S._tcp.D`, `_S._T.D`, `_P._tcp.S.D`: SRV only. `question` tells its rotation from the pool's others. */
export function srvNode(
  service: string,
  freshness: Freshness,
  answers: PoolAnswers,
  question: string,
  choice?: PortChoice,
): DynamicNode {
  const set = (type: number): PreparedSet | undefined =>
    type === TYPE.SRV ? answers.services(question, choice) : undefined;
  return { service, rrset: (type, owner, random) => draw(set(type), owner, random), hot: { freshness, set } };
}

function draw(set: PreparedSet | undefined, owner: Name, random: Random): RRset | undefined {
  return set === undefined ? undefined : drawRRset(set, owner, random);
}

/** `10-0-0-7.addr.D`: one address. `soleService` is the only service that has it, if there is only one. */
export function addressNode(bytes: Uint8Array, ttlSeconds: number, soleService: string | undefined): DynamicNode {
  const type = bytes.length === 4 ? TYPE.A : TYPE.AAAA;
  return {
    service: undefined,
    address: { type, ttlSeconds, rdata: bytes, soleService },
    rrset: (asked, owner) => (asked === type ? rrset(owner, type, ttlSeconds, [bytes]) : undefined),
    // Its TTL depends on every service that has the address.
    hot: undefined,
  };
}
