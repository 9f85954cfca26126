// rounds.test.ts -- rounds over all instances: in slices, complete after the last change, over in the end

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { Rounds } from '../../src/cluster/rounds.ts';
import { startNode } from '../support/cluster-node.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance } from '../support/registrations.ts';
import { SharedWorld } from '../support/shared-store.ts';

/** A clock that tells how many turns of the event loop were taken for work, and what a visit costs. */
class TurnClock extends FakeClock {
  readonly turns: (() => void)[] = [];

  override afterTurn(callback: () => void): void {
    this.turns.push(callback);
  }

  /** The next turn; false: there is none. */
  turn(): boolean {
    const next = this.turns.shift();
    next?.();
    return next !== undefined;
  }
}

function rounds(count: number, onVisit: (id: string) => void = () => {}) {
  const clock = new TurnClock();
  const ids = new Set(Array.from({ length: count }, (_, i) => `i${i}`));
  const visited: string[] = [];
  const made = new Rounds({
    clock,
    log: silentLogger,
    ids: () => ids,
    visit: (id) => {
      visited.push(id);
      clock.stall(1);
      onVisit(id);
    },
  });
  return { clock, ids, visited, rounds: made };
}

describe('rounds', () => {
  it('take a few at a time, and each once', () => {
    const { clock, ids, visited, rounds: made } = rounds(23);
    made.ask();
    made.ask();
    assert.equal(visited.length, 0, 'nothing in the turn of whoever asks');
    const seen: number[] = [];
    while (clock.turn()) seen.push(visited.length);
    assert.deepEqual(seen, [5, 10, 15, 20, 23]);
    assert.deepEqual(visited, [...ids]);
  });

  it('that are asked for in the middle of one visit everything again, and let the one under way end', () => {
    const { clock, ids, visited, rounds: made } = rounds(12);
    made.ask();
    clock.turn();
    made.ask();
    while (clock.turn());
    assert.deepEqual(visited, [...ids, ...ids]);
  });

  it('reach the last ones however often they are asked for', () => {
    const { clock, ids, visited, rounds: made } = rounds(40);
    for (let i = 0; i < 10; i++) {
      made.ask();
      clock.turn();
    }
    assert.deepEqual(new Set(visited), ids);
  });

  it('follow what comes and goes meanwhile', () => {
    const { clock, ids, visited, rounds: made } = rounds(12);
    made.ask();
    clock.turn();
    ids.delete('i11');
    ids.add('late');
    while (clock.turn());
    assert.equal(visited.includes('i11'), false);
    assert.equal(visited.at(-1), 'late');
  });

  it('go on after one that fails', () => {
    const {
      clock,
      ids,
      visited,
      rounds: made,
    } = rounds(7, (id) => {
      if (id === 'i3') throw new Error('by the test');
    });
    made.ask();
    while (clock.turn());
    assert.deepEqual(visited, [...ids]);
  });

  it('end when they are stopped', () => {
    const { clock, visited, rounds: made } = rounds(12);
    made.ask();
    clock.turn();
    made.stop();
    made.ask();
    while (clock.turn());
    assert.equal(visited.length, 5);
  });
});

it('a node that goes hands over over several turns, and nothing of it is left out', async () => {
  const clock = new FakeClock();
  const world = new SharedWorld(clock);
  const [a, b] = [await startNode(world, 'a', { replicas: 1, quorum: 1 }), await startNode(world, 'b')];
  const ids = Array.from({ length: 40 }, (_, i) => `x${i}`);
  for (const id of ids)
    await a.registry.register(anInstance({ id, port: 1000 + Number(id.slice(1)), checks: [aCheck()] }));
  await clock.advance(100);
  const told = new Map<number, string[]>();
  let turn = 0;
  const plain = clock.afterTurn.bind(clock);
  clock.afterTurn = (callback) =>
    plain(() => {
      turn++;
      callback();
    });
  a.cluster.onAssignments((id) => {
    clock.stall(1);
    told.set(turn, [...(told.get(turn) ?? []), id]);
  });
  await b.stop();
  await clock.advance(1_000);
  const perTurn = Array.from(told.values(), ({ length }) => length);
  assert.ok(Math.max(...perTurn) <= 5, `instances in a turn: ${perTurn}`);
  assert.deepEqual([...told.values()].flat().sort(), [...ids].sort());
  assert.ok(
    ids.every((id) => a.cluster.isMine(id)),
    'all are looked after by the one that is left',
  );
});
