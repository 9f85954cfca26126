// block-slab.test.ts -- blocks never overlap, waste little, and are used again

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BlockSlab } from '../../src/nameserver/block-slab.ts';

describe('a block slab', () => {
  it('gives blocks that do not overlap, whatever is taken and given back', () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant('give' as const)), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.nat()), (run, choices) => {
        const slab = new BlockSlab(16, 1 << 20);
        const held: { at: number; length: number; mark: number }[] = [];
        for (const [mark, step] of run.entries()) {
          if (step !== 'give') {
            const at = slab.take(step);
            slab.words.fill(mark + 1, at, at + step);
            held.push({ at, length: step, mark: mark + 1 });
          } else if (held.length > 0) {
            const [block] = held.splice(choices.next().value! % held.length, 1);
            slab.give(block!.at, block!.length);
          }
        }
        for (const { at, length, mark } of held) {
          assert.ok(at > 0, 'a block has a place');
          const words = slab.words.subarray(at, at + length);
          assert.ok(
            words.every((word) => word === mark),
            `block ${mark} of ${length} words is whole`,
          );
        }
      }),
      { seed: 20260101 },
    );
  });

  it('takes at most a quarter more than was asked for', () => {
    for (let length = 5; length < 5000; length++) {
      const slab = new BlockSlab(16, 1 << 20);
      const before = slab.size;
      slab.take(length);
      const taken = slab.size - before;
      assert.ok(taken >= length && taken <= Math.ceil(length * 1.25), `${taken} words for ${length}`);
    }
  });

  it('uses again what was given back, and does not grow meanwhile', () => {
    const slab = new BlockSlab(16, 1 << 20);
    let at = slab.take(100);
    const { size } = slab;
    for (let i = 0; i < 1000; i++) {
      slab.give(at, 100);
      at = slab.take(97);
      slab.give(at, 97);
      at = slab.take(100);
    }
    assert.equal(slab.size, size);
  });

  it('says 0 when there is no room, and has room again when something is given back', () => {
    const slab = new BlockSlab(16, 1024);
    const blocks: number[] = [];
    for (let at = slab.take(64); at !== 0; at = slab.take(64)) blocks.push(at);
    assert.ok(blocks.length >= 12 && slab.size <= 1024, `${blocks.length} blocks in ${slab.size} words`);
    assert.equal(slab.take(10_000), 0);
    slab.give(blocks[3]!, 64);
    assert.equal(slab.take(64), blocks[3]);
    assert.equal(slab.take(64), 0);
  });
});
