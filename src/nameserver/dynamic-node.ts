// dynamic-node.ts -- a name that the registry makes, as the solver sees it

import { TYPE } from '../dns/codes.ts';
import type { Name } from '../dns/name.ts';
import { type RRset, rrset } from '../dns/rrset.ts';
import type { Freshness } from './freshness.ts';
import type { PortChoice } from './pool-answers.ts';
import { drawRRset } from './prepared-set.ts';
import type { QueryDraw } from './query-draw.ts';
import { type BranchedSet, type RoutedAnswers, setFor } from './routed-answers.ts';

/** What hot-answers.ts may keep of a node. */
export interface HotSource {
  readonly freshness: Freshness;
  /** The sets that a question of this type draws from; undefined: the node has no records of that type. */
  sets(type: number): BranchedSet | undefined;
}

export interface AddressRecord {
  readonly type: number;
  readonly ttlSeconds: number;
  readonly rdata: Uint8Array;
  readonly soleService: string | undefined;
}

/** What a name of a service draws from, for those who look into it. */
export interface NodePool extends Pick<HotSource, 'sets'> {
  readonly answers: RoutedAnswers;
  /** The named port that SRV records carry; undefined: the main one. */
  readonly choice: PortChoice | undefined;
}

/** An existing name; it may have no records at all. */
export interface DynamicNode {
  /** The service behind it, for the counters. */
  readonly service: string | undefined;
  /** The records of a type, drawn for this query; CNAME when the whole name is an alias. */
  rrset(type: number, owner: Name, draw: QueryDraw): RRset | undefined;
  /** Undefined where answers are not to be kept. */
  readonly hot: HotSource | undefined;
  /** Of a name below `addr`: its one record, and the only service that has the address, if there is only one. */
  readonly address?: AddressRecord;
  /** Of a name that answers with instances. */
  readonly pool?: NodePool;
}

/** A name that exists only because something below it does (RFC 4592 section 2.2.2). */
export const EMPTY_NON_TERMINAL: DynamicNode = { service: undefined, rrset: () => undefined, hot: undefined };

/** `S.D` and `T.S.D`: addresses, SRV and metadata of a pool, or an alias. */
export function poolNode(
  service: string,
  freshness: Freshness,
  answers: RoutedAnswers,
  mayBeAlias: boolean,
): DynamicNode {
  const alias = mayBeAlias ? answers.alias() : undefined;
  const sets = (type: number): BranchedSet | undefined => {
    switch (type) {
      case TYPE.A:
        return answers.sets('A', (pool) => pool.addresses(4));
      case TYPE.AAAA:
        return answers.sets('AAAA', (pool) => pool.addresses(6));
      case TYPE.SRV:
        return answers.sets('SRV @', (pool) => pool.services('@'));
      case TYPE.TXT:
        return answers.sets('TXT', (pool) => pool.texts());
      default:
        return undefined;
    }
  };
  return {
    service,
    rrset(type, owner, draw) {
      if (type === TYPE.CNAME) {
        return alias === undefined ? undefined : rrset(owner, type, alias.ttlSeconds, [alias.target]);
      }
      // Those beside an alias are for when static records stand in its way (contract section 2).
      return drawFrom(sets(type), owner, draw);
    },
    hot: alias === undefined ? { freshness, sets } : undefined,
    pool: { answers, sets, choice: undefined },
  };
}

/** `_S._tcp.D`, `_S._T.D`, `_P._tcp.S.D`: SRV only. `question` tells its rotation from the pool's others. */
export function srvNode(
  service: string,
  freshness: Freshness,
  answers: RoutedAnswers,
  question: string,
  choice?: PortChoice,
): DynamicNode {
  const sets = (type: number): BranchedSet | undefined =>
    type === TYPE.SRV ? answers.sets(`SRV ${question}`, (pool) => pool.services(question, choice)) : undefined;
  return {
    service,
    rrset: (type, owner, draw) => drawFrom(sets(type), owner, draw),
    hot: { freshness, sets },
    pool: { answers, sets, choice },
  };
}

function drawFrom(sets: BranchedSet | undefined, owner: Name, draw: QueryDraw): RRset | undefined {
  return sets === undefined ? undefined : drawRRset(setFor(sets, draw), owner, draw);
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
