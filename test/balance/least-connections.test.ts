// least-connections.test.ts -- fewer answers for those with more connections, without a rush to whoever was idle

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { leastConnections } from '../../src/balance/least-connections.ts';
import type { Candidate, Strategy } from '../../src/balance/plan.ts';
import { roundRobin } from '../../src/balance/round-robin.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { drawState, firstPlaces, testStrategy } from '../conformance/strategies.ts';

testStrategy('least-connections', leastConnections);

/** Shares of first places after these reports, one after the other, in percent. */
function sharesAfter(
  question: string,
  reports: readonly (readonly (number | undefined)[])[],
  weights?: number[],
): number[] {
  let shares: number[] = [];
  for (const [loadReports, report] of reports.entries()) {
    const candidates = report.map((connections, i) => ({
      ...{ key: String(i), weight: weights?.[i] ?? 1, connections },
      loadReports,
    }));
    shares = sharesOf(candidates, question);
  }
  return shares;
}

function sharesOf(candidates: readonly Candidate[], question: string): number[] {
  const counts = firstPlaces(leastConnections(candidates, { question }), 1, 20_000);
  return counts.map((count) => Math.round(count / 200));
}

describe('least-connections', () => {
  it('goes by weight while nothing is known, and while all have their due', () => {
    assert.deepEqual(sharesAfter('unknown', [[undefined, undefined]], [1, 3]), [25, 75]);
    assert.deepEqual(sharesAfter('due', [[10, 30]], [1, 3]), [25, 75]);
    assert.deepEqual(sharesAfter('idle', [[0, 0]], [1, 3]), [25, 75]);
  });

  it('takes those that are not known for as loaded as the others', () => {
    assert.deepEqual(sharesAfter('neutral', [[10, 10, undefined, 10]]), [25, 25, 25, 25]);
    const [low, high, unknown] = sharesAfter('between', [[10, 30, undefined]]);
    assert.ok(low! > unknown! && unknown! > high!, `${[low, high, unknown]}`);
  });

  it('lets no single report turn everybody to whoever was idle', () => {
    const [idle] = sharesAfter('stampede', [[0, 1000, 1000, 1000, 1000]]);
    assert.ok(idle! > 20 && idle! < 40, `${idle}`);
  });

  it('learns: who has too many connections gets less with each report', () => {
    const reports = Array.from({ length: 6 }, (_, i) => [100 + i, 10, 10]);
    const shares = reports.map((_, i) => sharesAfter(`learning ${i}`, reports.slice(0, i + 1))[0]!);
    for (const [i, share] of shares.entries()) if (i > 0) assert.ok(share < shares[i - 1]!, `${shares}`);
  });

  it('does not take the same report twice for two', () => {
    const candidates = [90, 10].map((connections, i) => ({ key: String(i), weight: 1, connections, loadReports: 1 }));
    const once = sharesOf(candidates, 'again');
    for (let i = 0; i < 20; i++) assert.deepEqual(sharesOf(candidates, 'again'), once);
  });

  it('goes on while fresh reports say the same, by bounded steps, down to a little', () => {
    const shares = Array.from(
      { length: 40 },
      (_, i) => sharesAfter(`steady ${i}`, Array(i + 1).fill([100, 10, 10]))[0]!,
    );
    for (let i = 1; i < shares.length; i++) {
      assert.ok(shares[i]! <= shares[i - 1]! && shares[i]! >= shares[i - 1]! / 2 - 1, `${shares}`);
    }
    assert.ok(shares[5]! > 3 && shares[39]! >= 1 && shares[39]! <= 2, `${shares}`);
    const stays = sharesAfter('even', Array(40).fill([10, 10, 10]));
    assert.deepEqual(stays, [33, 33, 33]);
  });

  it('lets what was learned go little by little as reports grow old, and does not take it up again', () => {
    const question = 'old';
    sharesAfter(question, Array(20).fill([100, 10]));
    const at = (trust: number, loadReports = 19) =>
      sharesOf(
        [100, 10].map((connections, i) => ({
          ...{ key: String(i), weight: 1, loadReports, loadTrust: trust },
          connections: connections * trust + 55 * (1 - trust),
        })),
        question,
      )[0]!;
    const shares = [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1].map((trust) => at(trust));
    for (let i = 1; i < shares.length; i++) {
      assert.ok(shares[i]! >= shares[i - 1]! && shares[i]! - shares[i - 1]! <= 12, `${shares}`);
    }
    assert.ok(shares[0]! < 5 && shares.at(-1)! > 38, `${shares}`);
    const again = at(1, 20);
    assert.ok(again > 30 && again < 50, `${again} after ${shares}`);
  });

  it('makes no leap when one of them is heard of no more', () => {
    const question = 'one is quiet';
    sharesAfter(question, Array(20).fill([100, 10]));
    const at = (loadTrust: number | undefined) =>
      sharesOf(
        [
          { key: '0', weight: 1, connections: loadTrust === undefined ? undefined : 10, loadTrust, loadReports: 19 },
          { key: '1', weight: 1, connections: 10, loadReports: 19 },
        ],
        question,
      )[0]!;
    const shares = [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, undefined].map(at);
    for (let i = 1; i < shares.length; i++) {
      assert.ok(shares[i]! >= shares[i - 1]! && shares[i]! - shares[i - 1]! <= 12, `${shares}`);
    }
    assert.equal(shares.at(-1), 50);
  });

  it('learns for each question by itself', () => {
    sharesAfter('one', [
      [90, 10],
      [91, 10],
      [92, 10],
    ]);
    assert.deepEqual(sharesAfter('other', [[5, 5]]), [50, 50]);
  });

  for (const [serviceMs, clients, perSecond, reportMs] of [
    [[50, 50, 50, 50, 250], 10, 20, 1000],
    [[50, 100, 200, 400], 10, 20, 5000],
    [[20, 50, 100, 300, 500], 10, 20, 1000],
    [[20, 50, 100, 300, 500], 100, 4, 10_000],
  ] as const) {
    it(`keeps connections even: ${clients} clients, services of ${serviceMs} ms, reports every ${reportMs} ms`, () => {
      const load = { serviceMs, clients, perSecond, reportMs };
      const [least, even] = [inFlight(leastConnections, load), inFlight(roundRobin, load)];
      assert.ok(least <= 0.6 * even, `${least} in flight instead of ${even}`);
    });
  }
});

interface Load {
  readonly serviceMs: readonly number[];
  readonly clients: number;
  /** Requests of each client. */
  readonly perSecond: number;
  readonly reportMs: number;
}

const STEP_MS = 10;
const TTL_MS = 5000;
const WARM_UP_MS = 60_000;
const END_MS = 300_000;
let runs = 0;

/**
 * Simulated clients that ask for an address when theirs is older than the TTL, and send requests to it; returns how many
 * are in flight at an instance, in the worst hundredth of all moments and instances.
 */
function inFlight(strategy: Strategy, { serviceMs, clients, perSecond, reportMs }: Load): number {
  const random = seededRandom(4);
  const state = drawState(random);
  const question = `simulation ${runs++}`;
  const ends = serviceMs.map((): number[] => []);
  const reported = serviceMs.map((): number | undefined => undefined);
  let reports = 0;
  const reportedBy = serviceMs.map(() => 0);
  const planNow = () =>
    strategy(
      reported.map((connections, i) => ({ key: `10.0.0.${i}`, weight: 1, connections, loadReports: reportedBy[i]! })),
      { limit: 8, question },
    );
  let plan = planNow();
  const order = new Uint16Array(8);
  const known = Array.from({ length: clients }, () => ({ instance: 0, untilMs: random.next() * TTL_MS }));
  const samples: number[] = [];
  for (let nowMs = 0; nowMs < END_MS; nowMs += STEP_MS) {
    for (const [i, each] of ends.entries()) ends[i] = each.filter((endMs) => endMs > nowMs);
    for (const [i, each] of ends.entries()) {
      // Instances report one after the other.
      if ((nowMs + Math.floor((i * reportMs) / ends.length)) % reportMs >= STEP_MS) continue;
      reported[i] = each.length;
      reportedBy[i] = ++reports;
      plan = planNow();
    }
    for (const client of known) {
      for (let requests = arrivals((perSecond * STEP_MS) / 1000, random); requests > 0; requests--) {
        if (nowMs >= client.untilMs) {
          plan.draw(8, state, order);
          state.turn++;
          Object.assign(client, { instance: order[0]!, untilMs: nowMs + TTL_MS });
        }
        ends[client.instance]!.push(nowMs - Math.log1p(-random.next()) * serviceMs[client.instance]!);
      }
    }
    if (nowMs >= WARM_UP_MS && nowMs % 100 === 0) samples.push(...ends.map((each) => each.length));
  }
  return samples.sort((a, b) => a - b)[Math.floor(samples.length * 0.99)]!;
}

/** How many of a Poisson process come in a time in which `mean` (small) do on average. */
function arrivals(mean: number, random: Random): number {
  let count = 0;
  for (let left = random.next() - Math.exp(-mean), chance = Math.exp(-mean); left > 0; left -= chance) {
    chance *= mean / ++count;
    if (chance < 1e-12) break;
  }
  return count;
}
