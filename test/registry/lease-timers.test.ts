// lease-timers.test.ts -- leases run out once, on time, and not while they are renewed

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LeaseTimers } from '../../src/registry/lease-timers.ts';
import { FakeClock } from '../support/fake-clock.ts';

function setUp() {
  const clock = new FakeClock();
  const expired: [id: string, atMs: number][] = [];
  const leases = new LeaseTimers(clock, (id) => expired.push([id, clock.monotonicMs()]));
  return { clock, expired, leases };
}

describe('a lease', () => {
  it('runs out once, after its time', async () => {
    const { clock, expired, leases } = setUp();
    assert.equal(leases.renew('a', 5000), clock.wallMs() + 5000);
    await clock.advance(4999);
    assert.deepEqual([expired, leases.has('a')], [[], true]);
    await clock.advance(60_000);
    assert.deepEqual([expired, leases.has('a')], [[['a', 5000]], false]);
  });
  it('is put off by every renewal, with one timer', async () => {
    const { clock, expired, leases } = setUp();
    for (let i = 0; i < 10; i++) {
      leases.renew('a', 5000);
      await clock.advance(4000);
    }
    assert.equal(clock.pendingCount, 1);
    await clock.advance(60_000);
    assert.deepEqual(expired, [['a', 41_000]]);
  });
  it('may be made shorter', async () => {
    const { clock, expired, leases } = setUp();
    leases.renew('a', 60_000);
    leases.renew('a', 1000);
    assert.equal(clock.pendingCount, 1);
    await clock.advance(120_000);
    assert.deepEqual(expired, [['a', 1000]]);
  });
  it('may be dropped, and begun again', async () => {
    const { clock, expired, leases } = setUp();
    leases.renew('a', 1000);
    leases.drop('a');
    leases.drop('never');
    assert.equal(clock.pendingCount, 0);
    await clock.advance(500);
    leases.renew('a', 1000);
    await clock.advance(5000);
    assert.deepEqual(expired, [['a', 1500]]);
  });
  it('does not follow the wall clock', async () => {
    const { clock, expired, leases } = setUp();
    leases.renew('a', 5000);
    clock.jumpWall(3_600_000);
    await clock.advance(4000);
    assert.deepEqual(expired, []);
    clock.jumpWall(-86_400_000);
    await clock.advance(1000);
    assert.deepEqual(expired, [['a', 5000]]);
  });
  it('may be renewed by whoever hears that it ran out', async () => {
    const clock = new FakeClock();
    const expired: number[] = [];
    const leases: LeaseTimers = new LeaseTimers(clock, (id) => {
      expired.push(clock.monotonicMs());
      if (expired.length < 3) leases.renew(id, 1000);
    });
    leases.renew('a', 1000);
    await clock.advance(10_000);
    assert.deepEqual(expired, [1000, 2000, 3000]);
  });
  it('does not run out after stop', async () => {
    const { clock, expired, leases } = setUp();
    leases.renew('a', 1000);
    leases.renew('b', 2000);
    leases.stop();
    assert.equal(clock.pendingCount, 0);
    await clock.advance(5000);
    assert.deepEqual(expired, []);
  });
});
