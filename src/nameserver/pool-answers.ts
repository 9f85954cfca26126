// pool-answers.ts -- the record sets of one pool of a service, made on first demand and kept until something changes

import type { Candidate, Plan } from '../balance/plan.ts';
import { type IpAddress, parseIp } from '../base/ip.ts';
import { atOnce, isMany, isPause, mapped } from '../base/pauses.ts';
import { formatType, TYPE } from '../dns/codes.ts';
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
import { namedPort, type PortChoice } from './record-kind.ts';
import { type Binding, bindingOf, bindingRdata } from './service-binding.ts';

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
  /** The service is still as the pool has it. */
  isCurrent(): boolean;
  /** Rotation cursors by question; they outlive this object, so that a change does not start the rotation over. */
  cursor(question: string): Cursor;
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

  /**
   * The set of a type. A and AAAA have one record per address, and the weights of instances that share one add up. SRV has
   * the main port or a named one, and `owner` tells rotations apart: the same records under two names turn independently.
   * TXT has one record for each distinct set of metadata, SVCB and HTTPS those of service-binding.ts.
   */
  set(type: number, owner: string, choice?: PortChoice): PreparedSet {
    return atOnce(this.inSteps(type, owner, choice));
  }

  /** The same, made with pauses where there are many members. */
  *inSteps(type: number, owner: string, choice?: PortChoice): Generator<void, PreparedSet> {
    const question = questionOf(type, owner);
    const known = this.#sets.get(question);
    if (known !== undefined) return known;
    const made = yield* this.#make(type, question, choice);
    // A query in between could not wait and has made it.
    const set = this.#sets.get(question) ?? made;
    this.#sets.set(question, set);
    return set;
  }

  /** Who is behind each record of the set of a type, by candidate index of its plan. With pauses. */
  *holders(type: number, choice?: PortChoice): Generator<void, readonly (readonly Member[])[]> {
    const found = yield* this.#found(type, choice);
    return found.map(({ members }) => members);
  }

  #found(type: number, choice: PortChoice | undefined): Generator<void, readonly { readonly members: Member[] }[]> {
    if (type === TYPE.SRV) return this.#byTarget(choice);
    if (type === TYPE.TXT) return this.#byText();
    if (type === TYPE.SVCB || type === TYPE.HTTPS) return this.#byBinding(type);
    return this.#byAddress(type === TYPE.A ? 4 : 6);
  }

  /** What a member weighs here: its weight, less while it warns or warms up. */
  weightOf(member: Member): number {
    return this.#weightOf(member);
  }

  /** The host name that every registered instance has for its address: then the service is an alias of it. */
  alias(): { target: Name; ttlSeconds: number } | undefined {
    const host = this.pool.registered[0]?.instance.address;
    if (host === undefined || this.pool.answerable.length === 0 || parseIp(host) !== undefined) return undefined;
    if (this.pool.registered.some(({ instance }) => instance.address !== host)) return undefined;
    return { target: parseName(host), ttlSeconds: this.#ttlSeconds(this.pool.answerable) };
  }

  *#byAddress(family: 4 | 6): Generator<void, { address: IpAddress; members: Member[] }[]> {
    const byAddress = new Map<string, { address: IpAddress; members: Member[] }>();
    for (const [i, member] of this.pool.active.entries()) {
      if (isPause(i)) yield;
      const address = parseIp(member.instance.address);
      if (address?.family !== family) continue;
      const known = byAddress.get(address.text);
      if (known === undefined) byAddress.set(address.text, { address, members: [member] });
      else known.members.push(member);
    }
    return [...byAddress.values()];
  }

  *#byTarget(choice: PortChoice | undefined): Generator<void, { key: string; port: number; members: Member[] }[]> {
    const byTarget = new Map<string, { key: string; port: number; members: Member[] }>();
    for (const [i, member] of this.pool.answerable.entries()) {
      if (isPause(i)) yield;
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

  *#byBinding(type: number): Generator<void, { key: string; binding: Binding; members: Member[] }[]> {
    const byBinding = new Map<string, { key: string; binding: Binding; members: Member[] }>();
    for (const [i, member] of this.pool.answerable.entries()) {
      if (isPause(i)) yield;
      const binding = bindingOf(type, member.instance);
      if (binding === undefined) continue;
      const key = `${member.instance.address} ${binding.port} ${Buffer.from(binding.alpn).toString('latin1')}`;
      const known = byBinding.get(key);
      if (known === undefined) byBinding.set(key, { key, binding, members: [member] });
      else known.members.push(member);
    }
    return [...byBinding.values()];
  }

  *#byText(): Generator<void, { key: string; rdata: Uint8Array; members: Member[] }[]> {
    const byText = new Map<string, { key: string; rdata: Uint8Array; members: Member[] }>();
    for (const [i, member] of this.pool.answerable.entries()) {
      if (isPause(i)) yield;
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

  *#make(type: number, question: string, choice: PortChoice | undefined): Generator<void, PreparedSet> {
    if (type === TYPE.SRV) {
      const found = yield* this.#byTarget(choice);
      const candidates = yield* mapped(found, ({ key, members }) => this.#candidate(key, members));
      return yield* this.#prepare(question, type, found, candidates, ({ port, members: [first] }, index, plan) =>
        srvRdata(plan.srvPriorities[index]!, plan.srvWeights[index]!, port, this.#target(first!.instance)),
      );
    }
    if (type === TYPE.SVCB || type === TYPE.HTTPS) {
      const found = yield* this.#byBinding(type);
      const candidates = yield* mapped(found, ({ key, members }) => this.#candidate(key, members));
      return yield* this.#prepare(question, type, found, candidates, ({ binding, members: [first] }, index, plan) => {
        const { instance } = first!;
        return bindingRdata(plan.srvPriorities[index]!, this.#target(instance), binding, parseIp(instance.address));
      });
    }
    if (type === TYPE.TXT) {
      const found = yield* this.#byText();
      const candidates = found.map(({ key }) => ({ key, weight: 1 }));
      return yield* this.#prepare(question, type, found, candidates, ({ rdata }) => rdata);
    }
    const found = yield* this.#byAddress(type === TYPE.A ? 4 : 6);
    const candidates = yield* mapped(found, ({ address, members }) =>
      this.#candidate(address.text, members, address.bytes),
    );
    return yield* this.#prepare(question, type, found, candidates, ({ address }) => address.bytes);
  }

  *#prepare<F extends { readonly members: readonly Member[] }>(
    question: string,
    type: number,
    found: readonly F[],
    candidates: readonly Candidate[],
    rdataOf: (found: F, index: number, plan: Plan) => Uint8Array,
  ): Generator<void, PreparedSet> {
    const { policy, maxAnswers } = this.#context;
    const cursor = this.#context.cursor(question);
    const limit = policy?.maxAnswers ?? maxAnswers;
    const members: Member[] = [];
    for (const each of found) for (const member of each.members) members.push(member);
    const ttlSeconds = this.#ttlSeconds(members);
    if (isMany(candidates)) yield;
    // What holds no more must not teach those that learn.
    const learns = this.#context.isCurrent();
    const plan = planFor(policy, candidates, {
      limit,
      question: learns ? cursor.question : undefined,
      joinedTiers: this.pool.joinedTiers,
    });
    if (isMany(candidates)) yield;
    const rdatas = yield* mapped(found, (each, index) => rdataOf(each, index, plan));
    return { type, ttlSeconds, rdatas, plan, limit, cursor };
  }

  #candidate(key: string, members: readonly Member[], address?: Uint8Array): Candidate {
    return candidateOf(key, members, this.#weightOf, this.pool.tierOf, address);
  }

  #ttlSeconds(members: readonly Member[]): number {
    const { policy, ttlSeconds, volatileTtlSeconds } = this.#context;
    const instances = members.map((state) => state.instance);
    const usual = recordTtlSeconds(policy, instances, ttlSeconds);
    if (volatileTtlSeconds === undefined || usual <= volatileTtlSeconds) return usual;
    return isVolatile(this.pool) ? volatileTtlSeconds : usual;
  }

  #target(instance: AnsweringInstance): Name {
    return addressTarget(instance, this.#context.apex);
  }
}

/** What records that lead to an instance point to: its name below `addr`, or the host name that it has for an address. */
export function addressTarget({ address: text }: AnsweringInstance, apex: Name): Name {
  const address = parseIp(text);
  return address === undefined ? parseName(text) : prependLabels([addressLabel(address), 'addr'], apex);
}

/** Tells a question from the others about a pool. */
export function questionOf(type: number, owner: string): string {
  return type === TYPE.SRV ? `SRV ${owner}` : formatType(type);
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

/** `key=value` strings; what is longer than a character-string may be goes on in the next one. */
function metadataStrings(instance: AnsweringInstance): Uint8Array[] {
  return Object.entries(instance.meta).flatMap(([key, value]) => {
    const octets = Buffer.from(`${key}=${value}`);
    const strings: Uint8Array[] = [];
    for (let at = 0; at < octets.length; at += 255) strings.push(octets.subarray(at, at + 255));
    return strings;
  });
}
