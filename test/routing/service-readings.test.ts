// service-readings.test.ts -- what balancing goes by: reports that age, round trips, and warming up

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { InstanceState, Readings } from '../../src/registry/instance.ts';
import type { Policy } from '../../src/registry/policy.ts';
import { isOfUse, ServiceReadings } from '../../src/routing/service-readings.ts';
import { aCheck, anInstance } from '../support/registrations.ts';

/** A service whose instances take in what is reckoned, as the registry does. */
class Service {
  readonly readings = new ServiceReadings();
  readonly instances = new Map<string, InstanceState>();
  policy: Policy | undefined;

  constructor(policy: Policy | undefined, ids: readonly string[], parts: Partial<InstanceState['instance']> = {}) {
    this.policy = policy;
    for (const id of ids) this.instances.set(id, aState({ ...parts, id }));
  }

  reckon(nowMs: number) {
    const { changed, nextMs } = this.readings.reckon(this, nowMs);
    for (const { id, readings } of changed) this.instances.set(id, { ...this.instances.get(id)!, ...readings });
    return { changed: changed.map(({ id }) => id), nextMs };
  }

  of(id: string): Readings {
    const { connections, loadReports, loadTrust, latencyMs, warmth } = this.instances.get(id)!;
    return { connections, loadReports, loadTrust, latencyMs, warmth };
  }
}

function aState(parts: Partial<InstanceState['instance']>): InstanceState {
  return {
    instance: anInstance({ checks: [aCheck('fast'), aCheck('deep')], ...parts }),
    status: 'healthy',
    reason: '',
    revision: 1,
    registeredAtMs: 0,
    checks: {},
    draining: false,
    maintenance: undefined,
    leaseExpiresAtMs: undefined,
    load: undefined,
    lastAnswerableMs: undefined,
    isFailing: false,
    isStatic: false,
  };
}

const LEAST: Policy = { strategy: 'least-connections' };
const LATENCY: Policy = { strategy: 'latency' };

describe('reported connections', () => {
  it('hold for 30 s, go over to what the others have, and are forgotten', () => {
    const service = new Service(LEAST, ['quiet', 'busy']);
    service.readings.note('quiet', { connections: 100 }, 0);
    assert.deepEqual(service.reckon(0), { changed: ['quiet'], nextMs: 30_000 });
    service.readings.note('busy', { connections: 20 }, 31_000);
    service.reckon(31_000);
    assert.equal(service.of('quiet').connections, 100);
    service.reckon(45_000);
    assert.equal(service.of('quiet').connections, 60, 'half the way');
    assert.deepEqual(service.reckon(59_999.9).nextMs, 60_000);
    assert.ok(service.of('quiet').connections! < 22, String(service.of('quiet').connections));
    service.reckon(60_000);
    assert.deepEqual([service.of('quiet').connections, service.of('busy').connections], [undefined, 20]);
    service.reckon(91_000);
    assert.deepEqual([service.of('busy').connections, service.readings.isEmpty], [undefined, true]);
  });

  it('go over to what the weight makes of them', () => {
    const service = new Service(LEAST, ['quiet', 'busy']);
    service.instances.set('quiet', aState({ id: 'quiet', weight: 10 }));
    service.readings.note('quiet', { connections: 0 }, 0);
    service.readings.note('busy', { connections: 3 }, 20_000);
    service.reckon(20_000);
    service.reckon(45_000);
    assert.equal(service.of('quiet').connections, 15, 'half of 10 times 3');
  });

  it('are told when they moved by more than a tenth', () => {
    const service = new Service(LEAST, ['one']);
    const rows: [number, boolean][] = [
      [100, true],
      [109, false],
      [91, false],
      [111, true],
      [100, false],
      [0, true],
      [1, true],
      [0, true],
    ];
    for (const [connections, isTold] of rows) {
      service.readings.note('one', { connections }, 0);
      assert.equal(service.reckon(0).changed.length > 0, isTold, `${connections}`);
    }
  });

  /** Who is told of when all report the same each second, from the second report on. */
  const toldAgain = (connections: readonly number[], weights: readonly number[] = []): string[][] => {
    const ids = connections.map((_, i) => `i${i}`);
    const service = new Service(LEAST, ids);
    for (const [i, weight] of weights.entries()) service.instances.set(`i${i}`, aState({ id: `i${i}`, weight }));
    return [0, 1000, 2000].map((nowMs) => {
      for (const [i, id] of ids.entries()) service.readings.note(id, { connections: connections[i]! }, nowMs);
      return service.reckon(nowMs).changed;
    });
  };

  it('that stay the same are told again while they are uneven, and only then', () => {
    const all = ['i0', 'i1', 'i2'];
    assert.deepEqual(toldAgain([100, 10, 10]), [all, all, all]);
    assert.deepEqual(toldAgain([10, 20, 30], [1, 2, 3]), [all, [], []], 'as their weights say');
    assert.deepEqual(toldAgain([10, 10.5, 9.5]), [all, [], []], 'nearly even');
    assert.deepEqual(toldAgain([0, 0, 0]), [all, [], []]);
    assert.deepEqual(toldAgain([100]), [['i0'], [], []], 'nobody to compare with');
    const [, second] = toldAgain([100, 145, 10, 85]);
    assert.deepEqual(second, ['i0', 'i1', 'i2'], 'the last one has what all have on average');
  });

  it('count once in a second, and more seldom where clients keep answers for long', () => {
    for (const [ttlSeconds, counted] of [
      [undefined, 34],
      [1, 34],
      [60, 3],
    ] as const) {
      const service = new Service({ ...LEAST, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) }, ['busy', 'idle']);
      for (let nowMs = 0; nowMs < 30_000; nowMs += 100) {
        service.readings.note('busy', { connections: 100 }, nowMs);
        service.readings.note('idle', { connections: 1 }, nowMs);
        service.reckon(nowMs);
      }
      const reports = service.of('busy').loadReports!;
      assert.ok(Math.abs(reports - counted) <= 1, `${reports} with a TTL of ${ttlSeconds} s`);
    }
  });

  it('are believed less and less as they grow old', () => {
    const service = new Service(LEAST, ['quiet', 'busy']);
    service.readings.note('quiet', { connections: 5 }, 0);
    service.readings.note('busy', { connections: 5 }, 0);
    const seen: [number, number | undefined][] = [];
    for (let at: number | undefined = 0; at !== undefined; ) {
      const { nextMs, changed } = service.reckon(at);
      if (changed.length > 0) seen.push([at, service.of('quiet').loadTrust]);
      at = nextMs;
    }
    assert.deepEqual(seen, [
      [0, undefined],
      [33_000, 0.9],
      [36_000, 0.8],
      [39_000, 0.7],
      [42_000, 0.6],
      [45_000, 0.5],
      [48_000, 0.4],
      [51_000, 0.3],
      [54_000, 0.2],
      [57_000, 0.1],
      [60_000, undefined],
    ]);
    assert.deepEqual(service.of('quiet').loadReports, undefined);
    service.readings.note('busy', { connections: 5 }, 61_000);
    service.reckon(61_000);
    assert.deepEqual([service.of('busy').connections, service.of('busy').loadTrust], [5, undefined]);
  });

  it('are forgotten under a policy that does not go by them', () => {
    const service = new Service(LEAST, ['one']);
    service.readings.note('one', { connections: 5 }, 0);
    service.reckon(0);
    service.policy = { strategy: 'weighted' };
    assert.deepEqual(service.reckon(1), { changed: ['one'], nextMs: undefined });
    assert.deepEqual([service.of('one').connections, service.readings.isEmpty], [undefined, true]);
  });
});

describe('what the gateway sees', () => {
  const gateway = (parts: { connections?: number; latencyMs?: number }) => ({ isGateway: true, ...parts });

  it('counts where an instance says nothing of its connections, or nothing fresh', () => {
    const service = new Service(LEAST, ['own', 'silent']);
    service.readings.note('silent', gateway({ connections: 3.5 }), 0);
    service.readings.note('own', gateway({ connections: 2 }), 0);
    service.reckon(0);
    assert.deepEqual([service.of('silent').connections, service.of('own').connections], [3.5, 2]);
    service.readings.note('own', { connections: 40 }, 1000);
    service.readings.note('own', gateway({ connections: 3 }), 2000);
    service.reckon(2000);
    assert.equal(service.of('own').connections, 40, 'its own word wins');
    service.readings.note('own', gateway({ connections: 4 }), 31_000);
    service.reckon(31_000);
    assert.equal(service.of('own').connections, 40, 'as long as it is fresh');
    service.readings.note('own', gateway({ connections: 4 }), 31_001);
    service.reckon(31_001);
    assert.equal(service.of('own').connections, 4);
    service.readings.note('own', { connections: 30 }, 31_002);
    service.reckon(31_002);
    assert.equal(service.of('own').connections, 30);
  });

  it('is one more latency, as it is, and known for a minute', () => {
    const service = new Service(LATENCY, ['one']);
    service.readings.note('one', { check: 'fast', latencyMs: 20 }, 0);
    service.readings.note('one', gateway({ latencyMs: 90 }), 0);
    assert.equal(service.reckon(0).nextMs, 60_000);
    assert.equal(service.of('one').latencyMs, 90);
    service.readings.note('one', gateway({ latencyMs: 50 }), 1000);
    service.reckon(1000);
    assert.equal(service.of('one').latencyMs, 50, 'averaged already');
    assert.equal(service.reckon(60_000).nextMs, 61_000);
    assert.equal(service.of('one').latencyMs, 50);
    service.reckon(61_000);
    assert.equal(service.of('one').latencyMs, 20);
  });
});

describe('latency', () => {
  const checked = (check: string, latencyMs: number, hasFailed = false) => ({ check, latencyMs, hasFailed });

  it('is that of the slowest check, and rises at once', () => {
    const service = new Service(LATENCY, ['one']);
    service.readings.note('one', checked('fast', 2), 0);
    service.readings.note('one', checked('deep', 30), 0);
    assert.deepEqual(service.reckon(0), { changed: ['one'], nextMs: undefined });
    assert.equal(service.of('one').latencyMs, 30);
    service.readings.note('one', checked('fast', 400), 5000);
    service.reckon(5000);
    assert.equal(service.of('one').latencyMs, 400);
    service.readings.note('one', checked('fast', 2), 15_000);
    service.reckon(15_000);
    assert.equal(service.of('one').latencyMs, 201);
  });

  it('is not brought down by probes that fail', () => {
    const service = new Service(LATENCY, ['one']);
    service.readings.note('one', checked('deep', 0.1, true), 0);
    assert.deepEqual(service.reckon(0).changed, [], 'one that was never seen well');
    service.readings.note('one', checked('deep', 50), 0);
    service.readings.note('one', checked('deep', 0.1, true), 60_000);
    service.reckon(60_000);
    assert.equal(service.of('one').latencyMs, 50);
    service.readings.note('one', checked('deep', 2000, true), 60_000);
    service.reckon(60_000);
    assert.equal(service.of('one').latencyMs, 2000, 'a timeout is slow');
  });

  it('of a check that is gone is forgotten, and so is what an instance says no more', () => {
    const service = new Service(LATENCY, ['one']);
    service.readings.note('one', checked('deep', 50), 0);
    service.readings.note('one', { latencyMs: 80 }, 0);
    assert.equal(service.reckon(0).nextMs, 60_000);
    assert.equal(service.of('one').latencyMs, 80);
    service.reckon(60_000);
    assert.equal(service.of('one').latencyMs, 50);
    service.instances.set('one', { ...aState({ id: 'one', checks: [aCheck('fast')] }), latencyMs: 50 });
    service.readings.touch('one');
    service.reckon(60_001);
    assert.deepEqual([service.of('one').latencyMs, service.readings.isEmpty], [undefined, true]);
  });

  it('is told when it moved by more than a tenth, and half a millisecond', () => {
    const service = new Service(LATENCY, ['one']);
    const rows: [number, boolean][] = [
      [100, true],
      [109, false],
      [111, true],
      [130, true],
    ];
    for (const [latencyMs, isTold] of rows) {
      service.readings.note('one', checked('fast', latencyMs), 0);
      assert.equal(service.reckon(0).changed.length > 0, isTold, `${latencyMs}`);
    }
    const near = new Service(LATENCY, ['one']);
    for (const [latencyMs, isTold] of [
      [0.2, true],
      [0.6, false],
      [0.8, true],
    ] as const) {
      near.readings.note('one', checked('fast', latencyMs), 0);
      assert.equal(near.reckon(0).changed.length > 0, isTold, `${latencyMs}`);
    }
  });
});

describe('warming up', () => {
  it('goes in steps at the times told, whatever the strategy', () => {
    const service = new Service({ slowStartMs: 9000 }, ['one']);
    service.readings.warm('one', 500);
    const levels: (number | undefined)[] = [];
    for (let at: number | undefined = 500; at !== undefined; ) {
      at = service.reckon(at).nextMs;
      levels.push(service.of('one').warmth);
    }
    assert.deepEqual(levels, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, undefined]);
    assert.ok(service.readings.isEmpty, 'nothing is left of it');
  });

  it('follows changes of the time it takes, and ends when the instance leaves the answers', () => {
    const service = new Service({ slowStartMs: 90_000 }, ['one', 'two']);
    service.readings.warm('one', 0);
    service.readings.warm('two', 0);
    service.reckon(1000);
    assert.equal(service.of('one').warmth, 0.1);
    service.policy = { slowStartMs: 9000 };
    service.reckon(1000);
    assert.equal(service.of('one').warmth, 0.2);
    service.instances.set('one', { ...service.instances.get('one')!, status: 'unhealthy' });
    service.readings.touch('one');
    service.reckon(1001);
    assert.deepEqual([service.of('one').warmth, service.of('two').warmth], [undefined, 0.2]);
    service.policy = undefined;
    service.reckon(1002);
    assert.deepEqual([service.of('two').warmth, service.readings.isEmpty], [undefined, true]);
  });
});

describe('readings', () => {
  it('know which reports are of use', () => {
    const rows: [Policy | undefined, boolean, boolean][] = [
      [undefined, false, false],
      [{ strategy: 'weighted' }, false, false],
      [LEAST, true, false],
      [LATENCY, false, true],
    ];
    for (const [policy, connections, latency] of rows) {
      assert.equal(isOfUse(policy, { connections: 0 }), connections);
      assert.equal(isOfUse(policy, { latencyMs: 1 }), latency);
    }
  });

  it('forget who is gone', () => {
    const service = new Service(LEAST, ['one']);
    service.readings.note('one', { connections: 1 }, 0);
    service.readings.note('gone', { connections: 1 }, 0);
    assert.deepEqual(service.reckon(0).changed, ['one']);
    service.instances.clear();
    service.reckon(1);
    assert.ok(!service.readings.isEmpty, 'nobody said so');
    service.reckon(30_000);
    assert.ok(service.readings.isEmpty, 'nobody is left');
  });

  it('are within what was reported, and told nearly as they are, whatever comes when', () => {
    const ids = ['a', 'b', 'c'];
    const report = fc.record({ id: fc.constantFrom(...ids), connections: fc.nat(1000), gapMs: fc.nat(40_000) });
    fc.assert(
      fc.property(fc.array(report, { minLength: 1, maxLength: 30 }), (reports) => {
        const service = new Service(LEAST, ids);
        const last = new Map<string, { connections: number; atMs: number }>();
        let nowMs = 0;
        for (const { id, connections, gapMs } of reports) {
          const untilMs = nowMs + gapMs;
          // As the ticker does: at the times asked for.
          for (let next = service.reckon(nowMs).nextMs; next !== undefined && next <= untilMs; ) {
            assert.ok(next > nowMs, 'time goes on');
            nowMs = next;
            next = service.reckon(nowMs).nextMs;
          }
          nowMs = untilMs;
          service.readings.note(id, { connections }, nowMs);
          last.set(id, { connections, atMs: nowMs });
          service.reckon(nowMs);
          const all = reports.map((each) => each.connections);
          for (const each of ids) {
            const told = service.of(each).connections;
            const known = last.get(each);
            if (known === undefined || nowMs - known.atMs >= 60_000) assert.equal(told, undefined);
            else if (nowMs - known.atMs <= 30_000) {
              assert.ok(Math.abs(told! - known.connections) <= told! * 0.1, `${told} for ${known.connections}`);
            } else assert.ok(told! >= 0 && told! <= Math.max(...all) * 1.2, `${told}`);
          }
        }
      }),
    );
  });
});
