// pool-answers.ts -- the record sets of one pool of a service, made on first demand and kept until something changes

import type { Candidate, Plan } from '../balance/plan.ts';
import { type IpAddress, parseIp } from '../base/ip.ts';
import { TYPE } from '../dns/codes.ts';
import { type Name, parseName, prependLabels } from '../dns/name.ts';
import { txtRdata } from '../dns/rdata/basic.ts';
import { srvRdata } from '../dns/rdata/locating.ts';
import type { AnsweringInstance, Member } from '../registry/member.ts';
import type { Policy } from '../registry/policy.ts';
import { isVolatile, type Pool, planFor } from '../routing/pool.ts';
import { weightsOf } from '../routing/warning-weight.ts';
import { addressLabel } from './address-label.ts';
import { candidateOf } from './candidate.ts';
import type { Cursor } from './cursors.ts';
import type { PreparedSet } from './prepared-set.ts';

/** What the records of a pool depend on beside its instances. */
export interface PoolContext {
  readonly policy: Policy | undefined;
  /** Apex of the domain. */
  readonly apex: Name;
  /** The domain's TTL and answer limit, for what the policy leaves open. */
  readonly ttlSeconds: number;
  /** The most while the pool is about to change. */
  readonly volatileTtlSeconds: number | undefined;
  readonly maxAnswers: number;
  /** Rotation cursors by question; they outlive this object, so that a change does not start the rotation over. */
  cursor(question: string): Cursor;
}

/** Which port SRV records carry. */
export interface PortChoice {
  readonly name: string;
  readonly proto: 'tcp' | 'udp';
}

export class PoolAnswers {
  readonly pool: Pool;
  readonly #context: PoolContext;
  readonly #sets = new Map<string, PreparedSet>();
  readonly #weightOf: (member: Member) => number;

  constructor(pool: Pool, context: PoolContext) {
    this.pool = pool;
    this.#context = context;
    this.#weightOf = weightsOf(context.policy, pool.answerable);
  }

  /** A (4) or AAAA (6): one record per address; the weights of instances that share one add up. */
  addresses(family: 4 | 6): PreparedSet {
    return this.#cached(family === 4 ? 'A' : 'AAAA', (question) => {
      const found = this.#byAddress(family);
      const candidates = found.map(({ address, members }) => ({
        ...this.#candidate(address.text, members),
        address: address.bytes,
      }));
      const members = found.flatMap((each) => each.members);
      return this.#prepare(question, family === 4 ? TYPE.A : TYPE.AAAA, members, candidates, () =>
        found.map(({ address }) => address.bytes),
      );
    });
  }

  /**
   * SRV for the main port, or a named one. `owner` tells rotations apart: the same records under two names turn
   * independently.
   */
  services(owner: string, choice?: PortChoice): PreparedSet {
    return this.#cached(`SRV ${owner}`, (question) => {
      const found = this.#byTarget(choice);
      const candidates = found.map(({ key, members }) => this.#candidate(key, members));
      const members = found.flatMap((each) => each.members);
      return this.#prepare(question, TYPE.SRV, members, candidates, ({ srvPriorities, srvWeights }) =>
        found.map(({ port, members: [first] }, index) =>
          srvRdata(srvPriorities[index]!, srvWeights[index]!, port, this.#target(first!.instance)),
        ),
      );
    });
  }

  /** Who is behind each record of a set of A, AAAA, SRV or TXT, by candidate index of its plan. */
  holders(type: number, choice?: PortChoice): readonly (readonly Member[])[] {
    return this.#found(type, choice).map(({ members }) => members);
  }

  #found(type: number, choice: PortChoice | undefined): readonly { readonly members: readonly Member[] }[] {
    if (type === TYPE.SRV) return this.#byTarget(choice);
    if (type === TYPE.TXT) return this.#byText();
    return this.#byAddress(type === TYPE.A ? 4 : 6);
  }

  /** What a member weighs here: its weight, less while it warns or warms up. */
  weightOf(member: Member): number {
    return this.#weightOf(member);
  }

  /** TXT: the metadata of each instance that has any, one record for each distinct set of it. */
  texts(): PreparedSet {
    return this.#cached('TXT', (question) => {
      const found = this.#byText();
      const members = found.flatMap((each) => each.members);
      const candidates = found.map(({ key }) => ({ key, weight: 1 }));
      return this.#prepare(question, TYPE.TXT, members, candidates, () => found.map(({ rdata }) => rdata));
    });
  }

  /** The host name that every registered instance has for its address: then the service is an alias of it. */
  alias(): { target: Name; ttlSeconds: number } | undefined {
    const host = this.pool.registered[0]?.instance.address;
    if (host === undefined || this.pool.answerable.length === 0 || parseIp(host) !== undefined) return undefined;
    if (this.pool.registered.some(({ instance }) => instance.address !== host)) return undefined;
    return { target: parseName(host), ttlSeconds: this.#ttlSeconds(this.pool.answerable) };
  }

  #byAddress(family: 4 | 6): { address: IpAddress; members: Member[] }[] {
    const byAddress = new Map<string, { address: IpAddress; members: Member[] }>();
    for (const member of this.pool.active) {
      const address = parseIp(member.instance.address);
      if (address?.family !== family) continue;
      const known = byAddress.get(address.text);
      if (known === undefined) byAddress.set(address.text, { address, members: [member] });
      else known.members.push(member);
    }
    return [...byAddress.values()];
  }

  #byTarget(choice: PortChoice | undefined): { key: string; port: number; members: Member[] }[] {
    const byTarget = new Map<string, { key: string; port: number; members: Member[] }>();
    for (const member of this.pool.answerable) {
      const { instance } = member;
      const port = choice === undefined ? instance.port : namedPort(instance, choice);
      if (port === undefined) continue;
      const key = `${instance.address} ${port}`;
      // Two instances behind one target and port are one record: an RRset has no duplicates (RFC 2181 section 5).
      const known = byTarget.get(key);
      if (known === undefined) byTarget.set(key, { key, port, members: [member] });
      else known.members.push(member);
    }
    return [...byTarget.values()];
  }

  #byText(): { key: string; rdata: Uint8Array; members: Member[] }[] {
    const byText = new Map<string, { key: string; rdata: Uint8Array; members: Member[] }>();
    for (const member of this.pool.answerable) {
      if (Object.keys(member.instance.meta).length === 0) continue;
      const rdata = txtRdata(metadataStrings(member.instance));
      // By their octets: { a: "b=c" } and { "a=b": "c" } read the same, and an RRset has no duplicates.
      const key = Buffer.from(rdata).toString('latin1');
      const known = byText.get(key);
      if (known === undefined) byText.set(key, { key, rdata, members: [member] });
      else known.members.push(member);
    }
    return [...byText.values()];
  }

  #cached(question: string, make: (question: string) => PreparedSet): PreparedSet {
    let set = this.#sets.get(question);
    if (set === undefined) {
      set = make(question);
      this.#sets.set(question, set);
    }
    return set;
  }

  #prepare(
    question: string,
    type: number,
    members: readonly Member[],
    candidates: readonly Candidate[],
    rdatasFor: (plan: Plan) => readonly Uint8Array[],
  ): PreparedSet {
    const { policy, maxAnswers } = this.#context;
    const cursor = this.#context.cursor(question);
    const limit = policy?.maxAnswers ?? maxAnswers;
    const plan = planFor(policy, candidates, { limit, question: cursor.question });
    return { type, ttlSeconds: this.#ttlSeconds(members), rdatas: rdatasFor(plan), plan, limit, cursor };
  }

  #candidate(key: string, members: readonly Member[]): Candidate {
    return candidateOf(key, members, this.#weightOf, this.pool.tierOf);
  }

  #ttlSeconds(members: readonly Member[]): number {
    const { policy, ttlSeconds, volatileTtlSeconds } = this.#context;
    const instances = members.map((state) => state.instance);
    const usual = recordTtlSeconds(policy, instances, ttlSeconds);
    if (volatileTtlSeconds === undefined || usual <= volatileTtlSeconds) return usual;
    return isVolatile(this.pool) ? volatileTtlSeconds : usual;
  }

  #target(instance: AnsweringInstance): Name {
    const address = parseIp(instance.address);
    if (address === undefined) return parseName(instance.address);
    return prependLabels([addressLabel(address), 'addr'], this.#context.apex);
  }
}

/** TTL of a record set: the policy's, else the least of its instances', else the domain's (contract section 2). */
export function recordTtlSeconds(
  policy: Policy | undefined,
  instances: readonly AnsweringInstance[],
  fallback: number,
): number {
  if (policy?.ttlSeconds !== undefined) return policy.ttlSeconds;
  let least: number | undefined;
  for (const { ttlSeconds } of instances) {
    if (ttlSeconds !== undefined && (least === undefined || ttlSeconds < least)) least = ttlSeconds;
  }
  return least ?? fallback;
}

function namedPort(instance: AnsweringInstance, choice: PortChoice): number | undefined {
  const named = Object.hasOwn(instance.ports, choice.name) ? instance.ports[choice.name] : undefined;
  return named?.proto === choice.proto ? named.port : undefined;
}

/** `key=value` strings; what is longer than a character-string may be goes on in the next one. */
function metadataStrings(instance: AnsweringInstance): Uint8Array[] {
  return Object.entries(instance.meta).flatMap(([key, value]) => {
    const octets = Buffer.from(`${key}=${value}`);
    const strings: Uint8Array[] = [];
    for (let at = 0; at < octets.length; at += 255) strings.push(octets.subarray(at, at + 255));
    return strings;
  });
}
