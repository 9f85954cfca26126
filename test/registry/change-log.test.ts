// change-log.test.ts -- the ring of changes against a list that forgets nothing

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ChangeLog, type LoggedChange } from '../../src/registry/change-log.ts';

describe('the change log', () => {
  it('holds the newest changes that fit its limits, whatever comes', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 60 });
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 60 }),
        (lengths, maxChanges, maxOctets) => {
          const log = new ChangeLog({ maxChanges, maxOctets }, 100);
          const all: LoggedChange[] = [];
          for (const length of lengths) {
            const change = { sequence: 101 + all.length, service: 'a', octets: new Uint8Array(length) };
            all.push(change);
            log.append(change);
            let kept = all.slice(-maxChanges);
            while (kept.length > 1 && octetsOf(kept) > maxOctets) kept = kept.slice(1);
            assert.deepEqual([...log.after(0)], kept);
            assert.deepEqual(
              [log.head, log.tail, log.octets],
              [100 + all.length, kept[0]!.sequence - 1, octetsOf(kept)],
            );
            for (const sequence of [log.tail - 1, log.tail, log.head, log.head + 1]) {
              assert.equal(log.reaches(sequence), sequence >= log.tail && sequence <= log.head);
            }
          }
        },
      ),
    );
  });

  it('begins anew behind a gap, over which nobody could go on', () => {
    const log = new ChangeLog({ maxChanges: 4, maxOctets: 100 }, 0);
    for (const sequence of [1, 2, 9]) log.append({ sequence, service: 'a', octets: new Uint8Array(3) });
    assert.deepEqual([log.tail, log.head, log.octets, log.reaches(2)], [8, 9, 3, false]);
    assert.deepEqual(
      [...log.after(2)].map(({ sequence }) => sequence),
      [9],
    );
  });
});

function octetsOf(changes: readonly LoggedChange[]): number {
  return changes.reduce((sum, { octets }) => sum + octets.length, 0);
}
