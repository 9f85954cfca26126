// held-octets.test.ts -- memory of all connections together is bounded, and who has held some for longest gives way

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HeldOctets, type Holder } from '../../src/net/held-octets.ts';

const MAX = 1000;

class Each implements Holder {
  readonly name: number;
  readonly gone: number[];

  constructor(name: number, gone: number[]) {
    this.name = name;
    this.gone = gone;
  }

  giveWay(): void {
    this.gone.push(this.name);
  }
}

function setUp(count: number) {
  const gone: number[] = [];
  return { gone, held: new HeldOctets<Each>(MAX), all: Array.from({ length: count }, (_, i) => new Each(i, gone)) };
}

describe('what connections hold', () => {
  it('is never more than the bound, is counted right, and the longest goes first', () => {
    const step = fc.tuple(fc.nat(9), fc.oneof(fc.constant(0), fc.nat(MAX), fc.nat(2 * MAX)));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const { held, gone, all } = setUp(10);
        // In the order in which they began.
        const model = new Map<number, number>();
        for (const [which, octets] of steps) {
          gone.length = 0;
          held.set(all[which]!, octets);
          if (octets === 0) model.delete(which);
          else model.set(which, octets);
          const wanted: number[] = [];
          const sum = (): number => [...model.values()].reduce((a, b) => a + b, 0);
          while (sum() > MAX) {
            const [longest] = model.keys();
            wanted.push(longest!);
            model.delete(longest!);
          }
          assert.deepEqual(gone, wanted);
          assert.equal(held.total, sum());
          assert.ok(held.total <= MAX, `${held.total} are held`);
        }
      }),
    );
  });

  it('is told from when it began: who holds more or less of it does not go to the end of the line', () => {
    const { held, gone, all } = setUp(3);
    for (const each of all) held.set(each, 300);
    held.set(all[0]!, 200);
    held.set(all[0]!, 400);
    held.set(all[2]!, 301);
    assert.deepEqual(gone, [0]);
  });

  it('begins anew after all was let go', () => {
    const { held, gone, all } = setUp(2);
    held.set(all[0]!, 500);
    held.set(all[1]!, 500);
    held.set(all[0]!, 0);
    held.set(all[0]!, 501);
    assert.deepEqual(gone, [1]);
  });

  it('is too much when one holds it alone', () => {
    const { held, gone, all } = setUp(1);
    held.set(all[0]!, MAX);
    assert.deepEqual(gone, []);
    held.set(all[0]!, MAX + 1);
    assert.deepEqual([gone, held.total], [[0], 0]);
  });

  it('may be let go of while giving way, as a connection that closes does', () => {
    const held = new HeldOctets<Holder>(MAX);
    const gone: string[] = [];
    const first: Holder = {
      giveWay: () => {
        gone.push('first');
        held.set(first, 0);
        held.set(second, 0);
      },
    };
    const second: Holder = { giveWay: () => void gone.push('second') };
    held.set(first, MAX);
    held.set(second, MAX);
    assert.deepEqual([gone, held.total], [['first'], 0]);
  });
});
