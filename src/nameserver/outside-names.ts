// outside-names.ts -- what becomes of a question for a name outside every zone when there are upstreams to ask

import type { IpPrefix } from '../base/ip.ts';
import { CLASS, EXTENDED_ERROR, RCODE, TYPE } from '../dns/codes.ts';
import { FLAG } from '../dns/header.ts';
import { isWithin, type Name } from '../dns/name.ts';
import type { Request } from '../dns/request.ts';
import { NetworkSet } from '../routing/network-set.ts';
import { type Answer, type ExtendedError, failure } from './answer.ts';
import type { Client } from './client.ts';
import { specialAnswer } from './special-names.ts';
import { FORWARD } from './verdict.ts';
import type { View } from './view.ts';

/** What is said where there is no room for one more question. */
export const BUSY: ExtendedError = { code: EXTENDED_ERROR.NETWORK_ERROR, text: 'too many questions are under way' };

/** Plain data, so that it can be told to other threads. */
export interface ForwardRules {
  /** Whose questions are forwarded (RFC 5358). */
  readonly allow: readonly IpPrefix[];
  /** Special names that upstreams are asked for all the same, with all that is below them. */
  readonly passSpecial: readonly Name[];
}

/** An answer of ours that ends in an alias for a name outside. */
export interface OutsideAliases {
  readonly answer: Answer;
  readonly target: Name;
}

/** Types from 128 to 255 are for the server that is asked itself, or for transfers; ANY is the one that can be passed on. */
const FIRST_META_TYPE = 128;
const LAST_META_TYPE = 255;

/** Made once for each generation of settings. */
export class OutsideNames {
  readonly #rules: ForwardRules;
  readonly #allowed: NetworkSet;

  constructor(rules: ForwardRules) {
    this.#rules = rules;
    this.#allowed = new NetworkSet(rules.allow);
  }

  /**
   * What becomes of a query: FORWARD, an answer, or undefined when it is not in order or not for a name outside. It is
   * the sender that has to be allowed, whoever it asks for.
   */
  see(request: Request, sender: Client, view: View): Answer | typeof FORWARD | undefined {
    const { question, flags, edns, tsig, rcode } = request;
    if (rcode !== RCODE.NOERROR || (edns?.version ?? 0) > 0 || tsig !== undefined) return undefined;
    if (question === undefined || question.class !== CLASS.IN) return undefined;
    const { name, type } = question;
    if (isMeta(type) || view.zoneOf(name) !== undefined) return undefined;
    if (!this.#allowed.has(sender)) return failure(RCODE.REFUSED, PROHIBITED);
    const special = this.#special(name, type, edns?.dnssecOk === true);
    if (special !== undefined) return special;
    // Whoever does not ask for recursion wants to know what others asked for.
    return (flags & FLAG.RD) === 0 ? failure(RCODE.REFUSED, NOT_RECURSIVE) : FORWARD;
  }

  /**
   * The name outside that the aliases in an answer of ours lead to, where the sender may have it asked for: a stub does
   * not go on from there by itself. Undefined when there is none.
   */
  targetOf(
    { answer, rcode }: Answer,
    { question, flags, edns }: Request,
    sender: Client,
    view: View,
  ): Name | undefined {
    const last = answer.at(-1);
    if (last?.type !== TYPE.CNAME || rcode !== RCODE.NOERROR || (flags & FLAG.RD) === 0) return undefined;
    const { type } = question!;
    if (type === TYPE.CNAME || type === TYPE.ANY) return undefined;
    const target = last.rdatas[0] as Name;
    if (view.zoneOf(target) !== undefined || !this.#allowed.has(sender)) return undefined;
    return this.#special(target, type, edns?.dnssecOk === true) === undefined ? target : undefined;
  }

  #special(name: Name, type: number, dnssecOk: boolean): Answer | undefined {
    const isPassed = this.#rules.passSpecial.some((each) => isWithin(name, each));
    return isPassed ? undefined : specialAnswer(name, type, dnssecOk);
  }
}

function isMeta(type: number): boolean {
  return type === 0 || type === TYPE.OPT || (type >= FIRST_META_TYPE && type < LAST_META_TYPE);
}

const PROHIBITED = { code: EXTENDED_ERROR.PROHIBITED, text: 'no forwarding for this client' };
const NOT_RECURSIVE = { code: EXTENDED_ERROR.NOT_AUTHORITATIVE, text: 'recursion was not desired' };
