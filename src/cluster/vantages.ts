// vantages.ts -- what the checks of every instance come to at each node, as far as told

import type { CheckReport } from '../health/check-report.ts';
import type { Outcome } from '../health/check-spec.ts';
import type { StoredVantage } from '../registry/stored.ts';

/** What one check comes to at one node. */
export type Opinion = StoredVantage['checks'][string];

const NOBODY: ReadonlyMap<string, StoredVantage> = new Map();

/** Plain memory of opinions, by instance and node. */
export class Vantages {
  readonly #instances = new Map<string, Map<string, StoredVantage>>();

  /** Of one instance, by node. */
  of(instanceId: string): ReadonlyMap<string, StoredVantage> {
    return this.#instances.get(instanceId) ?? NOBODY;
  }

  /** Every instance that somebody has an opinion of. */
  get instanceIds(): Iterable<string> {
    return this.#instances.keys();
  }

  set(instanceId: string, node: string, vantage: StoredVantage | undefined): void {
    const nodes = this.#instances.get(instanceId) ?? new Map<string, StoredVantage>();
    if (vantage === undefined) nodes.delete(node);
    else nodes.set(node, vantage);
    if (nodes.size === 0) this.#instances.delete(instanceId);
    else this.#instances.set(instanceId, nodes);
  }

  /** Take a result of a check at a node over. Tells whether the outcome is another than before. */
  note(instanceId: string, node: string, checkId: string, { outcome, output }: CheckReport, nowMs: number): boolean {
    const before = this.of(instanceId).get(node)?.checks ?? {};
    const known = Object.hasOwn(before, checkId) ? before[checkId] : undefined;
    const isNew = known?.outcome !== outcome;
    const opinion: Opinion = { outcome, output, sinceMs: isNew ? nowMs : known.sinceMs };
    // An instance has few checks.
    const checks = Object.fromEntries([...Object.entries(before).filter(([id]) => id !== checkId), [checkId, opinion]]);
    this.set(instanceId, node, { checks });
    return isNew;
  }

  /** The outcomes of a check at these nodes, where there is one. */
  outcomes(instanceId: string, checkId: string, nodes: readonly string[]): Outcome[] {
    const known = this.of(instanceId);
    const outcomes: Outcome[] = [];
    for (const node of nodes) {
      const checks = known.get(node)?.checks ?? {};
      const outcome = Object.hasOwn(checks, checkId) ? checks[checkId]!.outcome : null;
      if (outcome !== null) outcomes.push(outcome);
    }
    return outcomes;
  }

  /** A check is another one now, or gone: what anybody said of it is void. */
  forgetCheck(instanceId: string, checkId: string): void {
    for (const [node, { checks }] of [...this.of(instanceId)]) {
      if (!Object.hasOwn(checks, checkId)) continue;
      const rest = Object.entries(checks).filter(([id]) => id !== checkId);
      this.set(instanceId, node, rest.length === 0 ? undefined : { checks: Object.fromEntries(rest) });
    }
  }

  forget(instanceId: string): void {
    this.#instances.delete(instanceId);
  }
}
