// outliers.test.ts -- who is taken out, for how long, and who never is

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OutlierSettings } from '../../src/gateway/gateway-settings.ts';
import {
  Outliers,
  type OutlierVerdict,
  type OutlierWatch,
  outcomeOf,
  type RequestOutcome,
} from '../../src/gateway/outliers.ts';
import { FakeClock } from '../support/fake-clock.ts';

const SETTINGS: OutlierSettings = {
  consecutive: 5,
  errorShare: 0.5,
  minRequests: 20,
  windowMs: 10_000,
  ejectForMs: 10_000,
  maxEjectForMs: 60_000,
  maxEjected: 0.3,
};

interface Setup {
  readonly clock: FakeClock;
  readonly outliers: Outliers;
  readonly watch: OutlierWatch;
  readonly verdicts: OutlierVerdict[];
  readonly ids: Set<string>;
  note(id: string, outcome: RequestOutcome, times?: number): void;
  /** Lengths of the ejections so far. */
  lengths(): number[];
}

function setUp(count: number, settings: Partial<OutlierSettings> = {}): Setup {
  const clock = new FakeClock();
  const ids = new Set(Array.from({ length: count }, (_, i) => `i${i}`));
  const verdicts: OutlierVerdict[] = [];
  const outliers = new Outliers({ clock, answerable: () => ids, onVerdict: (verdict) => verdicts.push(verdict) });
  const watch = outliers.watch('cart', { ...SETTINGS, ...settings });
  return {
    clock,
    outliers,
    watch,
    verdicts,
    ids,
    note: (id, outcome, times = 1) => {
      for (let i = 0; i < times; i++) watch.note(id, outcome, clock.monotonicMs());
    },
    lengths: () => verdicts.filter(({ kind }) => kind === 'eject').map(({ forMs }) => forMs),
  };
}

describe('outlier detection', () => {
  it('takes out after so many failures in a row, and lets back in after the time', async () => {
    const { clock, outliers, verdicts, note } = setUp(3);
    note('i0', 'failure', 4);
    note('i0', 'success');
    note('i0', 'failure', 4);
    assert.deepEqual(verdicts, []);
    assert.equal(outliers.hasEjected, false);
    note('i0', 'failure');
    const verdict = { service: 'cart', instance: 'i0' };
    assert.deepEqual(verdicts, [{ ...verdict, kind: 'eject', reason: '5 failures in a row', forMs: 10_000 }]);
    assert.equal(outliers.isEjected('i0'), true);
    assert.equal(outliers.isEjected('i1'), false);
    await clock.advance(9999);
    assert.equal(verdicts.length, 1);
    await clock.advance(1);
    assert.deepEqual(verdicts[1], { ...verdict, kind: 'readmit', reason: 'its time is over', forMs: 0 });
    assert.equal(outliers.isEjected('i0'), false);
    assert.equal(clock.pendingCount, 0);
  });

  it('counts other errors of the server in the share only', () => {
    const { verdicts, note } = setUp(3);
    note('i0', 'error', 19);
    assert.equal(verdicts.length, 0);
    note('i0', 'error');
    assert.equal(verdicts.at(0)?.reason, '20 of 20 requests failed');
  });

  it('forgets by and by what was long ago', async () => {
    const { clock, verdicts, note } = setUp(3);
    note('i0', 'error', 15);
    await clock.advance(10_001);
    note('i0', 'error', 15);
    assert.equal(verdicts.length, 0);
    await clock.advance(5000);
    note('i0', 'success', 16);
    note('i0', 'error', 1);
    assert.equal(verdicts.at(0)?.reason, '16 of 32 requests failed');
  });

  it('leaves alone who fails less than the share', () => {
    const { verdicts, note } = setUp(3);
    for (let i = 0; i < 100; i++) {
      note('i0', 'success', 2);
      note('i0', 'failure');
    }
    assert.deepEqual(verdicts, []);
  });

  for (const [count, maxEjected, out] of [
    [1, 1, 0],
    [2, 0.3, 1],
    [3, 1, 2],
    [4, 0, 1],
    [10, 0.3, 3],
    [10, 0.5, 5],
  ] as const) {
    it(`takes out at most ${out} of ${count} with a share of ${maxEjected}`, async () => {
      const { clock, ids, verdicts, note } = setUp(count, { maxEjected });
      for (let i = 0; i < 8; i++) {
        for (const id of ids) note(id, 'failure', 1);
        await clock.advance(1000);
      }
      assert.equal(verdicts.length, out);
    });
  }

  it('counts those it took out though their status says so meanwhile', async () => {
    const { clock, ids, verdicts, note } = setUp(4, { maxEjected: 0.5 });
    for (const id of ['i0', 'i1', 'i2', 'i3']) {
      note(id, 'failure', 5);
      if (verdicts.at(-1)?.instance === id) ids.delete(id);
    }
    assert.deepEqual(
      verdicts.map(({ instance }) => instance),
      ['i0', 'i1'],
    );
    // One is down by its checks: the last one must stay.
    ids.delete('i2');
    await clock.advance(1000);
    note('i3', 'failure', 50);
    assert.equal(verdicts.length, 2);
  });

  it('is not asked of all who answer for every failure of many', async () => {
    const clock = new FakeClock();
    const ids = Array.from({ length: 1000 }, (_, i) => `i${i}`);
    let asked = 0;
    const answerable = () => {
      asked++;
      return ids;
    };
    const outliers = new Outliers({ clock, answerable, onVerdict: () => {} });
    const watch = outliers.watch('cart', { ...SETTINGS, maxEjected: 0 });
    for (let round = 0; round < 20; round++) {
      for (const id of ids) watch.note(id, 'failure', clock.monotonicMs());
      await clock.advance(50);
    }
    assert.ok(asked <= 11, `asked ${asked} times in a second`);
    outliers.stop();
  });

  it('takes out who could not go before as soon as there is room', async () => {
    const { clock, outliers, verdicts, note } = setUp(3);
    note('i0', 'failure', 5);
    note('i1', 'failure', 5);
    assert.equal(outliers.isEjected('i1'), false);
    outliers.readmit('i0');
    note('i1', 'failure');
    assert.equal(verdicts.length, 2, 'not asked again at once');
    await clock.advance(1000);
    note('i1', 'failure');
    assert.equal(outliers.isEjected('i1'), true);
  });

  it('takes out for longer each time, up to the limit, by one failure soon after', async () => {
    const { clock, verdicts, note, lengths } = setUp(3);
    note('i0', 'failure', 5);
    for (const forMs of [10_000, 20_000, 40_000, 60_000]) {
      await clock.advance(forMs + 1);
      note('i0', 'failure');
    }
    assert.deepEqual(lengths(), [10_000, 20_000, 40_000, 60_000, 60_000]);
    assert.equal(verdicts.at(-1)?.reason, 'failed again soon after it came back');
  });

  it('trusts again who answers well, and shortens after a calm time', async () => {
    const { clock, note, lengths } = setUp(3);
    note('i0', 'failure', 5);
    await clock.advance(10_000);
    note('i0', 'success', 5);
    note('i0', 'failure', 4);
    assert.equal(lengths().length, 1, 'proved itself');
    note('i0', 'failure', 1);
    await clock.advance(20_000);
    await clock.advance(20_000);
    note('i0', 'failure', 4);
    assert.equal(lengths().length, 2, 'not soon any more');
    note('i0', 'failure', 1);
    assert.deepEqual(lengths(), [10_000, 20_000, 20_000]);
    await clock.advance(20_000 + 3_600_000);
    note('i0', 'failure', 5);
    assert.equal(lengths().at(-1), 10_000);
  });

  it('starts anew with who is readmitted by hand, and hears nothing of who is out', async () => {
    const { clock, outliers, verdicts, note, lengths } = setUp(3);
    note('i0', 'failure', 5);
    note('i0', 'failure', 50);
    assert.equal(verdicts.length, 1);
    outliers.readmit('i1');
    outliers.readmit('i0');
    outliers.readmit('i0');
    assert.deepEqual(
      verdicts.map(({ kind, reason }) => [kind, reason]),
      [
        ['eject', '5 failures in a row'],
        ['readmit', 'readmitted by hand'],
      ],
    );
    note('i0', 'failure', 4);
    assert.equal(verdicts.length, 2);
    note('i0', 'failure', 1);
    assert.deepEqual(lengths(), [10_000, 10_000]);
    await clock.advance(10_000);
    assert.equal(outliers.hasEjected, false);
  });

  it('forgets who is gone without a word', async () => {
    const { clock, outliers, verdicts, note } = setUp(3);
    note('i0', 'failure', 5);
    outliers.forget('i0');
    assert.equal(outliers.hasEjected, false);
    note('i0', 'failure', 4);
    await clock.advance(60_000);
    assert.equal(verdicts.length, 1);
  });

  it('has no ejection for who is not answerable', () => {
    const { ids, verdicts, note } = setUp(3);
    ids.delete('i0');
    note('i0', 'failure', 50);
    assert.deepEqual(verdicts, []);
  });

  it('judges routes apart, and knows who is out once', async () => {
    const { clock, outliers, watch, verdicts, note } = setUp(3);
    const other = outliers.watch('cart', { ...SETTINGS, consecutive: 2 });
    note('i0', 'failure', 4);
    other.note('i0', 'failure', clock.monotonicMs());
    assert.equal(verdicts.length, 0);
    other.note('i0', 'failure', clock.monotonicMs());
    assert.equal(verdicts.length, 1);
    watch.note('i0', 'failure', clock.monotonicMs());
    assert.equal(verdicts.length, 1);
    other.close();
    outliers.stop();
    assert.equal(clock.pendingCount, 0);
  });

  it('goes by the settings that are off', () => {
    const { verdicts, note } = setUp(3, { consecutive: 0, errorShare: 1 });
    note('i0', 'failure', 1000);
    assert.deepEqual(verdicts, []);
  });

  it('one timer readmits all, each at its time', async () => {
    const { clock, ids, verdicts, note } = setUp(10);
    note('i0', 'failure', 5);
    await clock.advance(3000);
    note('i1', 'failure', 5);
    assert.equal(clock.pendingCount, 1);
    await clock.advance(7000);
    assert.deepEqual(verdicts.at(-1)?.instance, 'i0');
    assert.equal(clock.pendingCount, 1);
    await clock.advance(3000);
    assert.deepEqual(verdicts.at(-1)?.instance, 'i1');
    assert.equal(verdicts.length, 4);
    assert.equal(ids.size, 10);
  });

  it('says what a status means', () => {
    const statuses = [200, 404, 499, 500, 501, 502, 503, 504, 505, 507, 599];
    assert.deepEqual(
      statuses.map((status) => [status, outcomeOf(status)]),
      [
        [200, 'success'],
        [404, 'success'],
        [499, 'success'],
        [500, 'error'],
        [501, 'success'],
        [502, 'failure'],
        [503, 'failure'],
        [504, 'failure'],
        [505, 'success'],
        [507, 'error'],
        [599, 'error'],
      ],
    );
  });
});
