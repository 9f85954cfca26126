// dynamic-node.ts -- a name that the registry makes, as the solver sees it

import { TYPE } from '../dns/codes.ts';
import type { Name } from '../dns/name.ts';
import { type RRset, rrset } from '../dns/rrset.ts';
import type { Freshness } from './freshness.ts';
import { drawRRset } from './prepared-set.ts';
import type { QueryDraw } from './query-draw.ts';
import type { PortChoice } from './record-kind.ts';
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
  /** What SRV rotations are named by. */
  readonly owner: string;
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
  /** Of a name with records that are answered all together. */
  readonly fixed?: Fixed;
}

/** Records that are answered all together, in order. */
export interface FixedRecords {
  readonly ttlSeconds: number;
  readonly rdatas: readonly Uint8Array[];
}

/** What is at such a name, for people, and its records by type; undefined: it never has any of that type. */
export interface Fixed {
  readonly about: string;
  recordsOf(type: number): FixedRecords | undefined;
}

/** The owner of SRV records at the name of the service itself. */
const OWN = '@';
/** What the name of a service has records of. */
const POOL_TYPES: ReadonlySet<number> = new Set([TYPE.A, TYPE.AAAA, TYPE.SRV, TYPE.TXT, TYPE.SVCB, TYPE.HTTPS]);

/** A name that exists only because something below it does (RFC 4592 section 2.2.2). */
export const EMPTY_NON_TERMINAL: DynamicNode = { service: undefined, rrset: () => undefined, hot: undefined };

/** `S.D` and `T.S.D`: addresses, SRV, bindings and metadata of a pool, or an alias. */
export function poolNode(
  service: string,
  freshness: Freshness,
  answers: RoutedAnswers,
  mayBeAlias: boolean,
): DynamicNode {
  const alias = mayBeAlias ? answers.alias() : undefined;
  const sets = (type: number): BranchedSet | undefined => {
    return POOL_TYPES.has(type) ? answers.sets(type, OWN) : undefined;
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
    pool: { answers, sets, owner: OWN, choice: undefined },
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
    type === TYPE.SRV ? answers.sets(type, question, choice) : undefined;
  return {
    service,
    rrset: (type, owner, draw) => drawFrom(sets(type), owner, draw),
    hot: { freshness, sets },
    pool: { answers, sets, owner: question, choice },
  };
}

/** A name whose records are answered all together. `service`: the one behind it, if there is only one. */
export function fixedNode(about: string, service: string | undefined, recordsOf: Fixed['recordsOf']): DynamicNode {
  return {
    service,
    rrset: (type, owner) => fixedSet(type, owner, recordsOf(type)),
    hot: undefined,
    fixed: { about, recordsOf },
  };
}

/** Both at one name: `_P._tcp.D` is the SRV of a service, and the list of instances of a type. */
export function bothNodes(node: DynamicNode, { fixed }: DynamicNode): DynamicNode {
  return {
    ...node,
    rrset: (type, owner, draw) => fixedSet(type, owner, fixed?.recordsOf(type)) ?? node.rrset(type, owner, draw),
    ...(fixed === undefined ? {} : { fixed }),
  };
}

function fixedSet(type: number, owner: Name, records: FixedRecords | undefined): RRset | undefined {
  if (records === undefined || records.rdatas.length === 0) return undefined;
  return rrset(owner, type, records.ttlSeconds, records.rdatas);
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
