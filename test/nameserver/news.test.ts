// news.test.ts -- what shards are told of each kind of change, and that it survives the way to them

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseName } from '../../src/dns/name.ts';
import { buildView } from '../../src/nameserver/build-view.ts';
import { Cursors, createCursorMemory } from '../../src/nameserver/cursors.ts';
import { memberNews, newsOf, type RegistryNews } from '../../src/nameserver/news.ts';
import { QueryDraw } from '../../src/nameserver/query-draw.ts';
import { Replica } from '../../src/nameserver/replica.ts';
import { solve } from '../../src/nameserver/solve.ts';
import type { Change, ChangeKind } from '../../src/registry/change.ts';
import type { InstanceState } from '../../src/registry/instance.ts';
import type { Policy } from '../../src/registry/policy.ts';
import { buildZone } from '../../src/zone/build-zone.ts';
import { readMasterFile } from '../../src/zone/master-file.ts';
import { aCheck, anInstance } from '../support/registrations.ts';

const POLICY: Policy = { strategy: 'weighted', ttlSeconds: 3 };
const INSTANCE = anInstance({ id: 'i', service: 's', ttlSeconds: 7, leaseTtlMs: 5000, checks: [aCheck()] });
const STATE: InstanceState = {
  instance: INSTANCE,
  revision: 3,
  registeredAtMs: 1,
  lastAnswerableMs: undefined,
  isFailing: false,
  isStatic: false,
  checks: {},
  leaseExpiresAtMs: 9,
  load: undefined,
  status: 'draining',
  reason: 'draining',
  draining: true,
  maintenance: undefined,
};
const MEMBER: RegistryNews & { op: 'member' } = {
  op: 'member',
  place: 4,
  member: {
    status: 'draining',
    instance: {
      id: 'i',
      service: 's',
      address: '10.0.0.1',
      port: 80,
      ports: {},
      tags: [],
      meta: {},
      weight: 1,
      ttlSeconds: 7,
    },
  },
};

describe('news', () => {
  const cases: readonly [ChangeKind, InstanceState | undefined, string, RegistryNews][] = [
    ['register', STATE, 's', MEMBER],
    ['update', STATE, 's', MEMBER],
    ['health', STATE, 's', MEMBER],
    ['deregister', STATE, 's', { op: 'gone', id: 'i', service: 's' }],
    ['policy', undefined, 's', { op: 'policy', service: 's', policy: POLICY, place: 4 }],
    ['policy', undefined, 'other', { op: 'policy', service: 'other', policy: undefined, place: 4 }],
  ];
  for (const [kind, instance, service, expected] of cases) {
    it(`of a change of kind ${kind} of ${service}`, () => {
      const change: Change = { sequence: 1, kind, service, instance, atMs: 0 };
      const news = newsOf(
        change,
        (name) => (name === 's' ? { policy: POLICY } : undefined),
        () => 4,
      );
      assert.deepEqual(news, expected);
      assert.deepEqual(structuredClone(news), expected);
    });
  }

  it('of an instance leave out a TTL that it does not have', () => {
    const news = memberNews({ instance: anInstance(), status: 'healthy' }, 0);
    assert.ok(news.op === 'member' && !('ttlSeconds' in news.member.instance));
  });

  it('of a view are the same zones and domains on the other side', () => {
    const text =
      '$TTL 9\n@ SOA ns hostmaster 7 1h 15m 1w 5s\n@ NS ns\nns A 127.0.0.1\nsub NS ns.sub\nns.sub A 127.0.0.2\n';
    const { records } = readMasterFile({ file: 'd', text, origin: parseName('d.test.') });
    const plan = {
      zones: [buildZone(records, 'd').zone!],
      domains: [{ apex: parseName('d.test.'), ttlSeconds: 5, negativeTtlSeconds: 5, maxAnswers: 4 }],
      negativeTtlSeconds: 5,
      serverAddresses: ['127.0.0.1'],
      claimLocal: true,
    };
    const names = new Replica(new Cursors(createCursorMemory(64)));
    names.apply({ ...MEMBER, member: { ...MEMBER.member, status: 'healthy' } });
    const state = { serialOffset: 3, isLoaded: true, isStale: false };
    const draw = new QueryDraw({ next: () => 0, below: () => 0 });
    const [here, there] = [plan, structuredClone(plan)].map((each) => buildView(each, names));
    for (const name of ['d.test.', 'ns.d.test.', 'x.sub.d.test.', 's.d.test.', 'nobody.d.test.', 'local.']) {
      for (const type of [1, 2, 6, 33]) {
        const [expected, got] = [here!, there!].map((view) => solve(parseName(name), type, { view, state, draw }));
        assert.deepEqual(got, expected, name);
      }
    }
  });
});
