// hot-entry.test.ts -- which questions have an entry, what is in it, and when it no longer holds

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseType, RCODE, TYPE } from '../../src/dns/codes.ts';
import { parseName } from '../../src/dns/name.ts';
import { buildView } from '../../src/nameserver/build-view.ts';
import { Cursors, createCursorMemory } from '../../src/nameserver/cursors.ts';
import { type HotEntry, makeHotEntry } from '../../src/nameserver/hot-entry.ts';
import { memberNews } from '../../src/nameserver/news.ts';
import { Replica } from '../../src/nameserver/replica.ts';
import type { View } from '../../src/nameserver/view.ts';
import type { Instance } from '../../src/registry/instance.ts';
import { buildZone } from '../../src/zone/build-zone.ts';
import { readMasterFile } from '../../src/zone/master-file.ts';
import { anInstance } from '../support/registrations.ts';

const ZONE = `
$TTL 60
@        SOA   ns hostmaster 7 1h 15m 1w 5s
@        NS    ns
ns       A     127.0.0.1
www      CNAME web
*.any    A     192.0.2.1
sub      NS    ns.sub
both     A     192.0.2.2
`;

/** Services of all sorts in `d.test`. */
const INSTANCES: readonly Partial<Instance>[] = [
  { id: '1', service: 'web', address: '10.0.0.1', tags: ['v1', 'blue'] },
  { id: '2', service: 'web', address: '10.0.0.2', tags: ['v1'], meta: { k: 'v' } },
  { id: '3', service: 'six', address: '2001:db8::1' },
  { id: '4', service: 'shares', address: '10.0.0.4' },
  { id: '5', service: 'shared', address: '10.0.0.4' },
  { id: '6', service: 'ports', address: '10.0.0.6', port: 80 },
  { id: '7', service: 'ports', address: '10.0.0.6', port: 81 },
  { id: '8', service: 'abroad', address: '10.0.0.8' },
  { id: '9', service: 'abroad', address: 'host.example' },
  { id: '10', service: 'alias', address: 'host.example' },
  { id: '11', service: 'both', address: '10.0.0.11' },
];

function serve(): { view: View; replica: Replica } {
  const { records } = readMasterFile({ file: 'd', text: ZONE, origin: parseName('d.test.') });
  const replica = new Replica(new Cursors(createCursorMemory(1 << 10)));
  const plan = {
    zones: [buildZone(records, 'd').zone!],
    domains: [{ apex: parseName('d.test.'), ttlSeconds: 5, negativeTtlSeconds: 5, maxAnswers: 8 }],
    negativeTtlSeconds: 5,
    serverAddresses: ['127.0.0.1'],
    claimLocal: false,
  };
  for (const parts of INSTANCES) replica.apply(memberNews({ instance: anInstance(parts), status: 'healthy' }, 3));
  return { view: buildView(plan, replica), replica };
}

function make(question: string, { view, replica }: ReturnType<typeof serve>): HotEntry | undefined {
  const [name, type] = question.split(' ');
  const wire = parseName(name!, parseName('d.test.'));
  return makeHotEntry(wire, parseType(type!)!, view, (service) => replica.placeOf(service));
}

/** What an entry holds: records, glue, whose count; or which denial it is. */
function summary(entry: HotEntry | undefined): string {
  if (entry === undefined) return 'general path';
  if (entry.rcode === RCODE.NXDOMAIN) return 'NXDOMAIN';
  const { records, glue, authority, set } = entry;
  const what = authority === undefined ? `${records.count} + ${glue.count}` : 'NODATA';
  return `${what}${set === undefined && authority === undefined ? ', static' : ''}, place ${entry.place}`;
}

describe('a hot entry', () => {
  const cases: Readonly<Record<string, string>> = {
    'web A': '2 + 0, place 3',
    'WEB A': '2 + 0, place 3',
    'web AAAA': 'NODATA, place 3',
    'web SRV': '2 + 2, place 3',
    'web TXT': '1 + 0, place 3',
    'web MX': 'general path',
    'web ANY': 'general path',
    '_web._tcp SRV': '2 + 2, place 3',
    '_web._tcp A': 'NODATA, place 3',
    '_web._v1 SRV': '2 + 2, place 3',
    'blue.web A': '1 + 0, place 3',
    // There are as many such names as ways to put tags in a row.
    'v1.blue.web A': 'general path',
    'v1.v1.web A': 'general path',
    'green.web A': 'NXDOMAIN',
    'six AAAA': '1 + 0, place 3',
    'six A': 'NODATA, place 3',
    'shares A': '1 + 0, place 3',
    // The TTL of the address depends on another service.
    'shares SRV': 'general path',
    // Two records, one address to go with them.
    'ports SRV': 'general path',
    'abroad A': '1 + 0, place 3',
    'abroad SRV': 'general path',
    'alias A': 'general path',
    '_alias._tcp SRV': 'general path',
    '10-0-0-1.addr A': 'general path',
    'addr A': 'general path',
    '_tcp A': 'general path',
    'ns A': '1 + 0, static, place -1',
    'ns AAAA': 'general path',
    'both A': '1 + 0, static, place -1',
    'both AAAA': 'general path',
    'www A': 'general path',
    'x.any A': 'general path',
    'x.sub A': 'general path',
    '@ A': 'general path',
    'nobody A': 'NXDOMAIN',
    'nobody.web A': 'NXDOMAIN',
    'nobody MX': 'general path',
    'elsewhere.test. A': 'general path',
    '. A': 'general path',
  };
  const served = serve();
  for (const [question, expected] of Object.entries(cases)) {
    it(`for ${question}: ${expected}`, () => assert.equal(summary(make(question, served)), expected));
  }

  it('is one and the same for all names of a zone that do not exist', () => {
    assert.equal(make('nobody A', served), make('somebody.else TXT', served));
  });

  const changes: readonly [string, (replica: Replica) => Iterable<string>, boolean][] = [
    [
      'its own service',
      (replica) => replica.apply({ op: 'policy', service: 'web', policy: undefined, place: 3 }),
      true,
    ],
    ['another service', (replica) => replica.apply({ op: 'gone', id: '3', service: 'six' }), false],
    [
      'another service that takes up one of its addresses',
      (replica) =>
        replica.apply(
          memberNews({ instance: anInstance({ id: '99', service: 'six', address: '10.0.0.1' }), status: 'pending' }, 3),
        ),
      true,
    ],
  ];
  for (const [what, change, isStale] of changes) {
    it(`${isStale ? 'no longer holds' : 'holds on'} after a change of ${what}`, () => {
      const { view, replica } = serve();
      const entries = ['web A', 'web SRV', 'web AAAA', 'blue.web A'].map((each) => make(each, { view, replica })!);
      for (const service of change(replica)) view.serviceChanged(service);
      assert.deepEqual(
        entries.map(({ freshness }) => freshness.isStale),
        entries.map(() => isStale),
      );
    });
  }

  it('is a choice where the policy looks at who asks, and there is one for each branch', () => {
    const { view, replica } = serve();
    const policy = { routes: [{ match: { tags: ['blue'] }, percent: 50 }], affinity: { by: 'subnet' as const } };
    replica.apply({ op: 'policy', service: 'web', policy, place: 3 });
    view.serviceChanged('web');
    const { selector, records } = make('web A', { view, replica })!;
    assert.deepEqual([selector === undefined, records.count], [false, 0]);
    const entries = [0, 1, 2, 3].map((branch) =>
      makeHotEntry(parseName('web.d.test.'), TYPE.A, view, (service) => replica.placeOf(service), branch),
    );
    // The general pool, of nobody's subnet and of theirs; the same of the route.
    assert.deepEqual(entries.map(summary), Array(4).fill('1 + 0, place 3'));
    assert.equal(make('v1.web A', { view, replica })!.selector === undefined, false, 'affinity holds for tags');
    assert.equal(make('web MX', { view, replica }), undefined);
  });

  it('is as long as the longest answer drawn from it', () => {
    const { view, replica } = serve();
    const one = make('web A', { view, replica })!.longest;
    replica.apply({ op: 'policy', service: 'web', policy: { strategy: 'random', maxAnswers: 1 }, place: 3 });
    view.serviceChanged('web');
    assert.deepEqual([one, make('web A', { view, replica })!.longest], [32, 16]);
  });
});
