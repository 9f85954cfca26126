// dynamic-node.ts -- a name that the registry makes, as the solver sees it

import type { Random } from '../base/random.ts';
import { TYPE } from '../dns/codes.ts';
import type { Name } from '../dns/name.ts';
import { type RRset, rrset } from '../dns/rrset.ts';
import type { PoolAnswers, PortChoice } from './pool-answers.ts';
import { drawRRset } from './prepared-set.ts';

/** An existing name; it may have no records at all. */
export interface DynamicNode {
  /** The service behind it, for the counters. */
  readonly service: string | undefined;
  /** The records of a type, drawn for this query; CNAME when the whole name is an alias. */
  rrset(type: number, owner: Name, random: Random): RRset | undefined;
}

/** A name that exists only because something below it does (RFC 4592 section 2.2.2). */
export const EMPTY_NON_TERMINAL: DynamicNode = { service: undefined, rrset: () => undefined };

/** `S.D` and `T.S.D`: addresses, SRV and metadata of a pool, or an alias. */
export function poolNode(service: string, answers: PoolAnswers, mayBeAlias: boolean): DynamicNode {
  const alias = mayBeAlias ? answers.alias() : undefined;
  return {
    service,
    rrset(type, owner, random) {
      switch (type) {
        case TYPE.CNAME:
          return alias === undefined ? undefined : rrset(owner, type, alias.ttlSeconds, [alias.target]);
        // The others beside an alias are for when static records stand in its way (contract section 2).
        case TYPE.A:
          return drawRRset(answers.addresses(4), owner, random);
        case TYPE.AAAA:
          return drawRRset(answers.addresses(6), owner, random);
        case TYPE.SRV:
          return drawRRset(answers.services('@'), owner, random);
        case TYPE.TXT:
          return drawRRset(answers.texts(), owner, random);
        default:
          return undefined;
      }
    },
  };
}

/** `_S._tcp.D`, `_S._T.D`, `_P._tcp.S.D`: SRV only. `question` tells its rotation from the pool's others. */
export function srvNode(service: string, answers: PoolAnswers, question: string, choice?: PortChoice): DynamicNode {
  return {
    service,
    rrset: (type, owner, random) =>
      type === TYPE.SRV ? drawRRset(answers.services(question, choice), owner, random) : undefined,
  };
}

/** `10-0-0-7.addr.D`: one address. */
export function addressNode(bytes: Uint8Array, ttlSeconds: number): DynamicNode {
  const type = bytes.length === 4 ? TYPE.A : TYPE.AAAA;
  return {
    service: undefined,
    rrset: (asked, owner) => (asked === type ? rrset(owner, type, ttlSeconds, [bytes]) : undefined),
  };
}
