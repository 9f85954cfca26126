// change-history.test.ts -- how much history is kept, and of whom

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChangeHistory } from '../../src/registry/change-history.ts';

const change = (service: string, atMs: number) => ({ atMs, kind: 'policy', service, by: null }) as const;

describe('the history', () => {
  it('keeps the last hundred of a service, newest first', () => {
    const history = new ChangeHistory();
    for (let i = 0; i < 250; i++) history.add(change('busy', i));
    history.add(change('calm', 7));
    assert.deepEqual(
      history.of('busy', 3)?.map(({ atMs }) => atMs),
      [249, 248, 247],
    );
    assert.equal(history.of('busy', 1000)?.length, 100);
    assert.deepEqual([history.of('calm', 5)?.length, history.of('none', 5), history.count], [1, undefined, 101]);
  });

  it('forgets whole services, those first that changed longest ago', () => {
    const history = new ChangeHistory(10);
    for (const [service, count] of [
      ['a', 4],
      ['b', 4],
      ['a', 1],
      ['c', 3],
    ] as const) {
      for (let i = 0; i < count; i++) history.add(change(service, i));
    }
    assert.deepEqual([history.of('a', 9)?.length, history.of('b', 9), history.of('c', 9)?.length], [5, undefined, 3]);
    for (let i = 0; i < 30; i++) history.add(change('flood', i));
    assert.equal(history.of('a', 9), undefined);
    assert.ok(history.count <= 30, `${history.count}`);
  });
});
