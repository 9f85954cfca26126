// bulk-pace.test.ts -- which first probes are made at once

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BulkPace } from '../../src/health/bulk-pace.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** How many of `wanted` are granted now. */
function granted(pace: BulkPace, wanted: number): number {
  let count = 0;
  for (let i = 0; i < wanted; i++) if (pace.take()) count++;
  return count;
}

describe('bulk pace', () => {
  it('grants a hundred at once, then as many as are probed anyway, twenty a second at least', async () => {
    const clock = new FakeClock();
    const pace = new BulkPace(clock);
    assert.equal(granted(pace, 1000), 100);
    await clock.advance(1000);
    assert.equal(granted(pace, 1000), 20);
    for (let i = 0; i < 500; i++) pace.add(10_000);
    await clock.advance(1000);
    assert.equal(granted(pace, 1000), 50);
    for (let i = 0; i < 500; i++) pace.remove(10_000);
    await clock.advance(1000);
    assert.equal(granted(pace, 1000), 20);
    await clock.advance(3_600_000);
    assert.equal(granted(pace, 1000), 100, 'no more than a hundred, however long it was quiet');
  });

  it('never keeps a single registration waiting', async () => {
    const clock = new FakeClock();
    const pace = new BulkPace(clock);
    for (let i = 0; i < 1000; i++) {
      assert.equal(pace.take(), true, `registration ${i}`);
      await clock.advance(50);
    }
  });
});
