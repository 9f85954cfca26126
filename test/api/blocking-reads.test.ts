// blocking-reads.test.ts -- the index of a service over its going and coming back, however many others go

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BlockingReads } from '../../src/api/blocking-reads.ts';
import { silentLogger } from '../../src/base/log.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anInstance } from '../support/registrations.ts';

it('an index never goes back, also of services that were forgotten', async () => {
  const clock = new FakeClock();
  const registry = await Registry.open({ store: openMemoryStore(), clock, log: silentLogger });
  const reads = new BlockingReads(registry, clock, 10, 3);
  const last = new Map<string, number>();
  const check = () => {
    for (let s = 0; s < 12; s++) {
      const index = reads.indexOf(`s-${s}`);
      assert.ok(index >= (last.get(`s-${s}`) ?? 0), `s-${s}: ${last.get(`s-${s}`)} -> ${index}`);
      last.set(`s-${s}`, index);
    }
  };
  assert.equal(reads.indexOf('s-0'), 0);
  for (let round = 0; round < 3; round++) {
    for (let s = 0; s < 12; s++) {
      const before = reads.indexOf(`s-${s}`);
      await registry.register(anInstance({ id: `i-${s}`, service: `s-${s}` }));
      assert.ok(reads.indexOf(`s-${s}`) > before, 'passed when created');
      check();
    }
    for (let s = 0; s < 12; s++) {
      const before = reads.indexOf(`s-${s}`);
      await registry.deregister(`i-${s}`);
      assert.ok(reads.indexOf(`s-${s}`) > before, 'passed when gone');
      check();
    }
  }
  reads.release();
  await registry.stop();
});

it('who waits is woken when the service comes, and when it goes', async () => {
  const clock = new FakeClock();
  const registry = await Registry.open({ store: openMemoryStore(), clock, log: silentLogger });
  const reads = new BlockingReads(registry, clock, 10);
  for (const change of [
    () => registry.register(anInstance({ id: 'a', service: 'web' })),
    () => registry.deregister('a'),
    () => registry.register(anInstance({ id: 'a', service: 'web' })),
  ]) {
    const index = reads.indexOf('web');
    const waiting = reads.changed('web', index, 1e9, () => {});
    assert.equal(reads.count, 1);
    await change();
    await waiting;
    assert.ok(reads.indexOf('web') > index, 'passed');
  }
  reads.release();
  await registry.stop();
});
