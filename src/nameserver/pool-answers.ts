// pool-answers.ts -- the record sets of one pool of a service, made on first demand and kept until something changes

import type { Candidate } from '../balance/plan.ts';
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
      const byAddress = new Map<string, { address: IpAddress; weight: number }>();
      const members: Member[] = [];
      for (const state of this.pool.answerable) {
        const address = parseIp(state.instance.address);
        if (address?.family !== family) continue;
        members.push(state);
        const weight = (byAddress.get(address.text)?.weight ?? 0) + this.#weightOf(state);
        byAddress.set(address.text, { address, weight });
      }
      const candidates = [...byAddress].map(([key, { weight }]) => ({ key, weight }));
      const rdatas = [...byAddress.values()].map(({ address }) => address.bytes);
      return this.#prepare(question, family === 4 ? TYPE.A : TYPE.AAAA, members, candidates, () => rdatas);
    });
  }

  /**
   * SRV for the main port, or a named one. `owner` tells rotations apart: the same records under two names turn
   * independently.
   */
  services(owner: string, choice?: PortChoice): PreparedSet {
    return this.#cached(`SRV ${owner}`, (question) => {
      const members: Member[] = [];
      const byTarget = new Map<string, { instance: AnsweringInstance; port: number; weight: number }>();
      for (const state of this.pool.answerable) {
        const { instance } = state;
        const port = choice === undefined ? instance.port : namedPort(instance, choice);
        if (port === undefined) continue;
        members.push(state);
        const key = `${instance.address} ${port}`;
        // Two instances behind one target and port are one record: an RRset has no duplicates (RFC 2181 section 5).
        byTarget.set(key, { instance, port, weight: (byTarget.get(key)?.weight ?? 0) + this.#weightOf(state) });
      }
      const candidates = [...byTarget].map(([key, { weight }]) => ({ key, weight }));
      return this.#prepare(question, TYPE.SRV, members, candidates, (weights) =>
        [...byTarget.values()].map(({ instance, port }, index) =>
          srvRdata(0, weights[index]!, port, this.#target(instance)),
        ),
      );
    });
  }

  /** TXT: the metadata of each instance that has any, one record for each distinct set of it. */
  texts(): PreparedSet {
    return this.#cached('TXT', (question) => {
      const members = this.pool.answerable.filter(({ instance }) => Object.keys(instance.meta).length > 0);
      const rdatas = members.map(({ instance }) => txtRdata(metadataStrings(instance)));
      // By their octets: { a: "b=c" } and { "a=b": "c" } read the same, and an RRset has no duplicates.
      const byText = new Map(rdatas.map((rdata) => [Buffer.from(rdata).toString('latin1'), rdata] as const));
      const candidates = [...byText.keys()].map((key) => ({ key, weight: 1 }));
      return this.#prepare(question, TYPE.TXT, members, candidates, () => [...byText.values()]);
    });
  }

  /** The host name that every registered instance has for its address: then the service is an alias of it. */
  alias(): { target: Name; ttlSeconds: number } | undefined {
    const host = this.pool.registered[0]?.instance.address;
    if (host === undefined || this.pool.answerable.length === 0 || parseIp(host) !== undefined) return undefined;
    if (this.pool.registered.some(({ instance }) => instance.address !== host)) return undefined;
    return { target: parseName(host), ttlSeconds: this.#ttlSeconds(this.pool.answerable) };
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
    rdatasFor: (srvWeights: readonly number[]) => readonly Uint8Array[],
  ): PreparedSet {
    const plan = planFor(this.#context.policy, candidates);
    return {
      type,
      ttlSeconds: this.#ttlSeconds(members),
      rdatas: rdatasFor(plan.srvWeights),
      plan,
      limit: this.#context.policy?.maxAnswers ?? this.#context.maxAnswers,
      cursor: this.#context.cursor(question),
    };
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
