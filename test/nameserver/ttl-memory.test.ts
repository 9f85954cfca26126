// ttl-memory.test.ts -- how long answers with an instance may live, whatever was changed since they were given

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseName } from '../../src/dns/name.ts';
import { TtlMemory } from '../../src/nameserver/ttl-memory.ts';
import type { ServiceState } from '../../src/registry/change.ts';
import { anInstance } from '../support/registrations.ts';

const DOMAINS = [{ apex: parseName('d.test.'), ttlSeconds: 60, negativeTtlSeconds: 5, maxAnswers: 8 }];

/** A service of instances with these TTLs, `a` the first. */
function serviceOf(ttls: readonly (number | undefined)[], policySeconds?: number): ServiceState {
  const instances = ttls.map((ttlSeconds, i) => ({ instance: instanceOf('abc'[i]!, ttlSeconds) }));
  return {
    name: 'web',
    instances: new Map(instances.map((each) => [each.instance.id, each])),
    policy: policySeconds === undefined ? undefined : { ttlSeconds: policySeconds },
  } as unknown as ServiceState;
}

function instanceOf(id: string, ttlSeconds?: number) {
  return anInstance({ id, service: 'web', ...(ttlSeconds === undefined ? {} : { ttlSeconds }) });
}

describe('what is in force for an instance', () => {
  const cases: readonly [string, ServiceState, number | undefined, number][] = [
    ["the domain's without others", serviceOf([undefined]), undefined, 60],
    ['its own, that of every set it is in being no larger', serviceOf([2]), 2, 2],
    ['its own, whatever its siblings have', serviceOf([2, undefined, 90]), 2, 2],
    ["the largest of its siblings when that is more than the domain's", serviceOf([undefined, 90]), undefined, 90],
    ["the policy's before all", serviceOf([2, 90], 7), 2, 7],
  ];
  for (const [what, service, own, expected] of cases) {
    it(`is ${what}`, () => {
      const memory = new TtlMemory();
      memory.noteService(service, DOMAINS, 0);
      assert.equal(memory.inForceSeconds(instanceOf('a', own), 1000), expected);
    });
  }

  it('remembers a larger one until its answers have died out', () => {
    const memory = new TtlMemory();
    memory.noteService(serviceOf([90]), DOMAINS, 0);
    memory.noteInstance(instanceOf('a', 90), instanceOf('a', 2), 1000);
    memory.noteService(serviceOf([2]), DOMAINS, 1000);
    const after = (nowMs: number) => memory.inForceSeconds(instanceOf('a', 2), nowMs);
    assert.deepEqual(
      [1000, 31_000, 90_500, 91_000, 200_000].map(after),
      [90, 60, 1 + 0, 2, 2].map((s) => Math.max(s, 2)),
    );
    assert.equal(
      memory.inForceSeconds(instanceOf('b', 2), 1000),
      90,
      'the service had it: others may stand in its sets',
    );
  });

  it('remembers what a policy said, and what an instance had before it went and came again', () => {
    const memory = new TtlMemory();
    memory.noteService(serviceOf([2], 300), DOMAINS, 0);
    memory.noteService(serviceOf([2]), DOMAINS, 10_000);
    assert.equal(memory.inForceSeconds(instanceOf('a', 2), 10_000), 300);
    const gone = new TtlMemory();
    gone.noteService(serviceOf([90]), DOMAINS, 0);
    gone.noteInstance(instanceOf('a', 90), undefined, 1000);
    gone.forget('web', 1000);
    gone.noteService(serviceOf([2]), DOMAINS, 5000);
    assert.equal(gone.inForceSeconds(instanceOf('a', 2), 5000), 86);
  });

  it('knows which changes move nothing', () => {
    const memory = new TtlMemory();
    assert.equal(memory.isUnmoved('web', undefined, instanceOf('a')), false, 'nothing is known yet');
    memory.noteService(serviceOf([undefined]), DOMAINS, 0);
    assert.equal(memory.isUnmoved('web', undefined, instanceOf('b')), true);
    assert.equal(memory.isUnmoved('web', instanceOf('b'), undefined), true);
    assert.equal(memory.isUnmoved('web', instanceOf('a'), instanceOf('a', 5)), false);
    assert.equal(memory.isUnmoved('web', instanceOf('a', 5), undefined), false);
  });

  it('keeps no more than is alive', () => {
    const memory = new TtlMemory();
    memory.noteService(serviceOf([undefined]), DOMAINS, 0);
    for (let i = 0; i < 100_000; i++) memory.noteInstance(instanceOf(`i${i}`, 3), undefined, i * 1000);
    assert.ok(memory.remembered <= 2048, `${memory.remembered} are remembered`);
  });
});
