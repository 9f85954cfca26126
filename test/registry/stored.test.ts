// stored.test.ts -- store keys there and back, and the order of loading

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inLoadOrder, readStored, type StoredKind, storedKey } from '../../src/registry/stored.ts';
import { anInstance } from '../support/registrations.ts';

describe('store keys', () => {
  const kinds: readonly StoredKind[] = ['instance', 'status', 'hold', 'hold-service', 'policy', 'rollout'];
  for (const kind of kinds) {
    it(`of ${kind} are read back`, () => {
      for (const id of ['a', 'web-10.0.0.1:80', 'instance', '-', '__x__']) {
        assert.deepEqual(readStored(storedKey(kind, id), { v: 1 }), { kind, id, value: { v: 1 } });
      }
    });
  }
  for (const key of ['', '/', '/a', 'instance', 'instances', 'policyx', 'holds/a', 'Instance/a', 'meta/version']) {
    it(`'${key}' is none of ours`, () => assert.equal(readStored(key, {}), undefined));
  }
});

it('rollouts are loaded after policies, and instances last, in the order in which they were registered', () => {
  const instance = (id: string, registeredAtMs: number) => ({
    key: storedKey('instance', id),
    value: { instance: anInstance({ id }), registeredAtMs },
    revision: 1,
  });
  const other = (key: string) => ({ key, value: {}, revision: 2 });
  const records = [
    other('rollout/s'),
    other('policy/s'),
    instance('a', 30),
    other('hold/a'),
    instance('b', 10),
    other('unknown'),
    instance('c', 20),
  ];
  assert.deepEqual(
    inLoadOrder(records).map(({ key }) => key),
    ['policy/s', 'hold/a', 'unknown', 'rollout/s', 'instance/b', 'instance/c', 'instance/a'],
  );
});
