// turns.test.ts -- actions of one key follow each other, whatever becomes of them

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Turns } from '../../src/registry/turns.ts';

/** A promise and the ways to settle it. */
function deferred() {
  let resolve: () => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

describe('turns', () => {
  it('run one action of a key at a time, in the order asked, and those of other keys beside', async () => {
    const turns = new Turns();
    const log: string[] = [];
    const [first, second] = [deferred(), deferred()];
    const action = (name: string, until: Promise<void>) => async () => {
      log.push(`${name} begins`);
      await until;
      log.push(`${name} ends`);
      return name;
    };
    const one = turns.take('a', action('one', first.promise));
    const two = turns.take('a', action('two', second.promise));
    const other = turns.take('b', action('other', Promise.resolve()));
    assert.equal(await other, 'other');
    assert.deepEqual(log, ['one begins', 'other begins', 'other ends']);
    second.resolve();
    first.resolve();
    assert.deepEqual([await one, await two], ['one', 'two']);
    assert.deepEqual(log.slice(3), ['one ends', 'two begins', 'two ends']);
  });
  it('go on after one that fails, and only its caller hears of it', async () => {
    const turns = new Turns();
    const failing = deferred();
    const one = turns.take('a', () => failing.promise);
    const two = turns.take('a', async () => 'fine');
    failing.reject(new Error('no'));
    await assert.rejects(one, { message: 'no' });
    assert.equal(await two, 'fine');
  });
  it('of several keys wait for all of them and let nobody in between, in any order of keys', async () => {
    const turns = new Turns();
    const log: string[] = [];
    const first = deferred();
    const one = turns.take('a', () => first.promise);
    const note = (name: string) => async () => void log.push(name);
    const all = [
      turns.takeAll(['a', 'b'], note('a b')),
      turns.takeAll(['b', 'a'], note('b a')),
      turns.take('b', note('b')),
      turns.takeAll([], note('none')),
    ];
    await all[3];
    assert.deepEqual(log, ['none']);
    first.resolve();
    await Promise.all([one, ...all]);
    assert.deepEqual(log, ['none', 'a b', 'b a', 'b']);
    assert.equal(turns.size, 0);
  });
  it('forget keys that nobody waits for', async () => {
    const turns = new Turns();
    const pending = [1, 2, 3].map((n) => turns.take('a', async () => n));
    assert.equal(turns.size, 1);
    await Promise.all(pending);
    assert.equal(turns.size, 0);
  });
});
