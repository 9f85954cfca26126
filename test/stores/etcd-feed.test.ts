// etcd-feed.test.ts -- what a feed makes of an etcd that was put back to a backup

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import type { CommittedBatch } from '../../src/registry/store.ts';
import { EtcdFeed, type RawEvent } from '../../src/stores/etcd-feed.ts';
import { EtcdKeys } from '../../src/stores/etcd-keys.ts';
import { Watchers } from '../../src/stores/watchers.ts';

const KEYS = new EtcdKeys('/r');
const put = (key: string, revision: number): RawEvent => ({
  ...{ key: KEYS.record(key), value: Buffer.from('1'), revision },
});

describe('an etcd that was put back to a backup', () => {
  it('is noticed although a write of ours came in between', () => {
    const told: CommittedBatch[] = [];
    const watchers = new Watchers(silentLogger);
    watchers.add((batch) => told.push(batch));
    const feed = new EtcdFeed(KEYS, 'w', watchers, silentLogger);
    feed.reconcile([put('a', 3)], 3, 0);
    feed.follow([put('b', 6), put('c', 12)], 12);
    // Made in the restored etcd, before anybody has listed it.
    feed.expect('w-1', [], () => {});
    feed.confirm('w-1', 6);
    assert.equal(feed.revision, 12);
    told.length = 0;
    feed.reconcile([put('a', 3)], 6, feed.revision);
    const gone = told.flatMap(({ mutations }) => mutations.filter(({ value }) => value === undefined));
    assert.deepEqual(gone.map(({ key }) => key).sort(), ['b', 'c']);
    assert.equal(feed.revision, 6);
  });
});
