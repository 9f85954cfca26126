// replica.test.ts -- fed with the news of its changes, a replica knows what answers need of the registry

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CodedError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import { Cursors, createCursorMemory } from '../../src/nameserver/cursors.ts';
import { NameIndex } from '../../src/nameserver/name-index.ts';
import { memberNews, newsOf, type RegistryNews, readingsNews } from '../../src/nameserver/news.ts';
import { Replica } from '../../src/nameserver/replica.ts';
import type { Change } from '../../src/registry/change.ts';
import { type Instance, isAnswerable } from '../../src/registry/instance.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openMemoryStore } from '../../src/stores/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aCheck, anInstance, aResult } from '../support/registrations.ts';

const SERVICES = ['a', 'b', 'c'];
const ADDRESSES = ['10.0.0.1', '10.0.0.2', '2001:db8::1', 'host.example'];
const TAGS = ['t1', 't2'];
const HTTP = { port: 80, proto: 'tcp' } as const;
const STATS = { port: 8125, proto: 'udp' } as const;
const ROLLOUT = { plan: '', state: 'running', percent: 1, sinceMs: 1, stoodMs: 0, reason: '' } as const;
const id = fc.integer({ min: 0, max: 5 }).map((n) => `i${n}`);
const service = fc.constantFrom(...SERVICES);
const described = fc.record({
  id,
  service,
  address: fc.constantFrom(...ADDRESSES),
  tags: fc.subarray(TAGS),
  meta: fc.constantFrom({}, { k: 'v' }, { instanceName: 'Same Name' }),
  ports: fc.constantFrom<Instance['ports']>({}, { http: HTTP }, { http: HTTP, stats: STATS }, { a: HTTP, b: STATS }),
  weight: fc.constantFrom(0, 1, 7),
  isLeased: fc.boolean(),
  isChecked: fc.boolean(),
  zone: fc.constantFrom('east', 'west'),
});
const instanceOf = ({ isLeased, isChecked, ...rest }: typeof described extends fc.Arbitrary<infer T> ? T : never) =>
  anInstance({
    ...rest,
    ...(isLeased ? { leaseTtlMs: 5000, ttlSeconds: 3 } : {}),
    checks: isChecked ? [aCheck()] : [],
  });

type Command = (registry: Registry, clock: FakeClock, tell: (news: RegistryNews) => void) => unknown;

/** What may happen to a registry. What it refuses is fine: then nothing happens. */
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: described.map(
      (each): Command =>
        (registry) =>
          registry.register(instanceOf(each)),
    ),
  },
  id.map(
    (each): Command =>
      (registry) =>
        registry.deregister(each),
  ),
  fc.tuple(id, fc.boolean()).map(
    ([each, on]): Command =>
      (registry) =>
        registry.setDraining(each, on),
  ),
  fc.tuple(id, fc.option(fc.constant('why'), { nil: undefined })).map(
    ([each, why]): Command =>
      (registry) =>
        registry.setMaintenance(each, why),
  ),
  fc.tuple(service, fc.option(fc.constant('why'), { nil: undefined })).map(
    ([each, why]): Command =>
      (registry) =>
        registry.setServiceMaintenance(each, why),
  ),
  fc
    .tuple(
      service,
      fc.constantFrom(undefined, { ttlSeconds: 9 }, { maxAnswers: 2 }, { steps: [{ route: 0, percent: 1 }] }),
    )
    .map(
      ([each, policy]): Command =>
        (registry) =>
          registry.setPolicy(each, policy === undefined ? undefined : { strategy: 'random', ...policy }),
    ),
  fc.tuple(id, fc.constantFrom('passing' as const, 'critical' as const)).map(
    ([each, outcome]): Command =>
      (registry) =>
        registry.reportResult(each, 'alive', aResult(outcome)),
  ),
  fc.tuple(id, fc.option(fc.nat(3), { nil: undefined }), fc.option(fc.nat(3), { nil: undefined })).map(
    ([each, connections, latencyMs]): Command =>
      (registry, _, tell) => {
        const part = connections && connections / 10;
        const readings = { connections, loadReports: connections, loadTrust: part, latencyMs, warmth: part };
        const state = registry.setReadings(each, readings);
        if (state !== undefined) tell(readingsNews(state.instance.service, [state]));
      },
  ),
  fc.tuple(service, fc.nat(1)).map(
    ([each, step]): Command =>
      (registry) =>
        registry.moveRollout(each, () => ({ ...ROLLOUT, step })),
  ),
  fc.array(described, { maxLength: 3 }).map((all): Command => {
    const unique = [...new Map(all.map((each) => [each.id, each])).values()];
    return (registry) => registry.setStatic(unique.map(instanceOf));
  }),
  fc.constantFrom(1000, 6000).map(
    (ms): Command =>
      (_, clock) =>
        clock.advance(ms),
  ),
);

/** Everything an answer may be made of, as one value. */
function knowledge(names: {
  service: Registry['service'] | Replica['service'];
  serviceCount: number;
  index: NameIndex;
}) {
  const services = SERVICES.map((name) => {
    const known = names.service(name);
    if (known === undefined) return undefined;
    const { policy, rollout, instances } = known;
    // In order: it is the order that turns go in.
    return {
      name: known.name,
      policy,
      rollout,
      members: [...instances.values()].map((member) => memberNews(member, 0)),
    };
  });
  const { index } = names;
  const labels = ['10-0-0-1', '10-0-0-2', '2001-db8-0-0-0-0-0-1'];
  const addresses = labels.map((label) =>
    index
      .holdersOf(label)
      .map((each) => `${each.id} of ${each.service}`)
      .sort(),
  );
  const tags = TAGS.map((tag) => index.hasTag(tag));
  const { types } = index;
  const discovery = {
    listed: Array.from(types.listed(), ({ name, proto }) => `_${name}._${proto}`).sort(),
    services: [...SERVICES, 'http', 'stats'].map((name) =>
      (['tcp', 'udp'] as const).map((proto) => [...(types.servicesOf({ name, proto }) ?? [])].sort()),
    ),
    labelled: ['i0', 'i1', 'i5', 'same name'].map((id) =>
      Array.from(index.labelled(id), ({ service }) => service).sort(),
    ),
    inOrder: ['0', 'a', '2'].map((digit) => index.addressOrder.hasBetween(digit.padEnd(8, '0'), digit.padEnd(8, 'f'))),
  };
  return { services, count: names.serviceCount, addresses, tags, hasAddresses: index.hasAddresses, discovery };
}

/** The types of answerable instances, looked up one by one. */
function typesOf(registry: Registry): string[] {
  const types = new Set<string>();
  for (const { instance, status } of registry.instances()) {
    if (!isAnswerable(status)) continue;
    types.add(`_${instance.service}._tcp`);
    for (const [name, { proto }] of Object.entries(instance.ports)) types.add(`_${name}._${proto}`);
  }
  return [...types].sort();
}

describe('a replica', () => {
  it('equals the registry after every command, whatever came before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
        const clock = new FakeClock();
        const registry = await Registry.open({ store: openMemoryStore(), clock, log: silentLogger });
        const replica = new Replica(new Cursors(createCursorMemory(64)));
        // As server.ts keeps it.
        const index = new NameIndex();
        const follow = (change: Change): void => {
          const { kind, instance, before } = change;
          if (instance !== undefined && kind === 'deregister') index.remove(instance);
          else if (instance !== undefined) index.put(instance, before);
          const news = newsOf(
            change,
            (name) => registry.service(name),
            (name) => SERVICES.indexOf(name),
          );
          replica.apply(structuredClone(news));
        };
        registry.onChange(follow);
        for (const run of commands) {
          try {
            await run(registry, clock, (news) => replica.apply(structuredClone(news)));
          } catch (error) {
            if (!(error instanceof CodedError)) throw error;
          }
          const { serviceCount } = registry;
          const known = knowledge({ service: (name) => registry.service(name), serviceCount, index });
          assert.deepEqual(
            knowledge({ service: replica.service, serviceCount: replica.serviceCount(), index: replica.index }),
            known,
          );
          assert.deepEqual(typesOf(registry), known.discovery.listed);
          for (const name of SERVICES) {
            const place = replica.service(name) === undefined ? -1 : SERVICES.indexOf(name);
            assert.equal(replica.placeOf(name), place);
          }
        }
        await registry.stop();
      }),
      { numRuns: 150, seed: 20260102 },
    );
  });

  it('tells whose answers a piece of news may have changed', () => {
    const replica = new Replica(new Cursors(createCursorMemory(64)));
    const member = (id: string, service: string, address: string) =>
      memberNews({ instance: anInstance({ id, service, address }), status: 'healthy' }, 0);
    const told: RegistryNews[] = [
      member('1', 'a', '10.0.0.1'),
      member('2', 'b', '10.0.0.1'),
      member('2', 'b', '10.0.0.2'),
      { op: 'policy', service: 'c', policy: undefined, place: 0 },
      { op: 'gone', id: '1', service: 'a' },
      { op: 'gone', id: 'nobody', service: 'nothing' },
      { op: 'bulk', news: [member('3', 'a', '10.0.0.2'), member('4', 'a', '10.0.0.4')] },
      { op: 'gone', id: '3', service: 'a' },
      { op: 'gone', id: '4', service: 'a' },
    ];
    assert.deepEqual(
      told.map((news) => [...replica.apply(news)]),
      [['a'], ['b', 'a'], ['b'], ['c'], ['a'], ['nothing'], ['a', 'b'], ['a'], ['a']],
    );
    assert.deepEqual([replica.serviceCount(), replica.placeOf('a'), replica.placeOf('b')], [1, -1, 0]);
  });
});
