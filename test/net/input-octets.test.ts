// input-octets.test.ts -- octets that wait are those that came, in order, in no more memory than they are worth

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { InputOctets } from '../../src/net/input-octets.ts';

describe('octets that wait', () => {
  it('come out as they went in, whatever is appended and dropped', () => {
    const step = fc.oneof(
      fc.record({ append: fc.uint8Array({ maxLength: 3000 }) }),
      fc.record({ drop: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.constant({ clear: true } as const),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), step), { maxLength: 60 }), (steps) => {
        // Several at once: they exchange memory.
        const real = [new InputOctets(), new InputOctets(), new InputOctets()];
        const model = real.map(() => Buffer.alloc(0));
        for (const [which, each] of steps) {
          const octets = real[which]!;
          const wanted = model[which]!;
          if ('append' in each) {
            octets.append(each.append);
            model[which] = Buffer.concat([wanted, each.append]);
          } else if ('drop' in each) {
            const count = Math.floor(each.drop * wanted.length);
            octets.drop(count);
            model[which] = wanted.subarray(count);
          } else {
            octets.clear();
            model[which] = Buffer.alloc(0);
          }
          for (const [i, one] of real.entries()) {
            assert.equal(one.length, model[i]!.length);
            assert.ok(one.view().equals(model[i]!), 'the octets are others');
          }
        }
        for (const one of real) one.clear();
      }),
      { numRuns: 200 },
    );
  });

  it('hold nothing while nothing waits', () => {
    const octets = new InputOctets();
    assert.equal(octets.capacity, 0);
    octets.append(new Uint8Array(0));
    assert.equal(octets.capacity, 0);
    octets.append(Uint8Array.of(1, 2, 3));
    assert.ok(octets.capacity >= 3, `${octets.capacity}`);
    octets.drop(3);
    assert.deepEqual([octets.length, octets.capacity, octets.view().length], [0, 0, 0]);
  });

  it('hold little more than has come in, however it came', () => {
    for (const size of [1, 7, 100, 1400]) {
      const octets = new InputOctets();
      for (let sum = size; sum <= 65_537; sum += size) {
        octets.append(new Uint8Array(size));
        assert.ok(octets.capacity <= Math.max(256, 5 * sum), `${octets.capacity} for ${sum}`);
      }
      octets.clear();
    }
  });

  it('stay in one place while somebody takes from the front and adds at the end', () => {
    const octets = new InputOctets();
    octets.append(new Uint8Array(200));
    const { capacity } = octets;
    for (let i = 0; i < 10_000; i++) {
      octets.append(Uint8Array.of(i & 255));
      octets.drop(1);
      assert.equal(octets.capacity, capacity);
    }
    assert.equal(octets.view()[199], 9999 & 255);
    octets.clear();
  });

  it('take the longest message, and one read more', () => {
    const octets = new InputOctets();
    octets.append(new Uint8Array(65_536));
    octets.append(new Uint8Array(4097).fill(9));
    assert.deepEqual([octets.length, octets.view().at(-1)], [69_633, 9]);
    // Beyond any size kept ready, too.
    octets.append(new Uint8Array(100_000).fill(8));
    assert.deepEqual([octets.length, octets.view()[69_632], octets.view().at(-1)], [169_633, 9, 8]);
    octets.clear();
  });

  it('are copies: who gave them may write over them', () => {
    const octets = new InputOctets();
    const given = Uint8Array.of(1, 2, 3);
    octets.append(given);
    given.fill(0);
    assert.deepEqual([...octets.view()], [1, 2, 3]);
    octets.clear();
  });
});
