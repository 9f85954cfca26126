// cluster.test.ts -- `rollcall cluster` against a real API: tables, JSON, and when it fails

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ClusterReport } from '../../src/api/cluster-report.ts';
import { type ApiServer, openApiServer } from '../support/api-server.ts';
import { type CliRun, runCommand } from '../support/captured-terminal.ts';

const member = (node: string, name: string, isElected: boolean): ClusterReport['members'][number] => ({
  ...{ node, name, version: '1.2.3', http: [`10.0.0.${name.slice(1)}:8500`] },
  ...{ startedAt: '2026-11-24T02:00:00.000Z', isSelf: name === 'n1', isElected },
});

const UP = { url: 'http://10.0.0.1:2379', up: true, version: '3.4.23', leader: true, revision: 95, lag: 5 } as const;
const DOWN = { url: 'http://10.0.0.2:2379', up: false, reason: 'connection \u001b[2Jrefused' } as const;
const REPORT: ClusterReport = {
  node: 'aaaaaaaa',
  elected: 'bbbbbbbb',
  silentMs: 0,
  stale: false,
  members: [member('aaaaaaaa', 'n1', false), member('bbbbbbbb', 'n2', true)],
  checks: 1,
  store: { kind: 'etcd', revision: 90, endpoints: [{ ...UP, sizeBytes: 1_310_720 }, DOWN] },
};

let server: ApiServer;
let report: ClusterReport;
before(async () => {
  server = await openApiServer({ cluster: async () => report });
});
after(() => server.close());

function cluster(changes: Partial<ClusterReport>, ...argv: string[]): Promise<CliRun> {
  report = { ...REPORT, ...changes };
  return runCommand(['cluster', ...argv, '--http', server.url]);
}

const ENDPOINTS_DOWN = { kind: 'etcd', revision: 90, endpoints: [DOWN] };
const ALONE = { kind: 'lmdb', revision: 4, endpoints: [] };

describe('rollcall explain in a cluster', () => {
  it('prints how each node finds a check', async () => {
    const vantages = () =>
      [
        {
          node: 'a',
          name: 'n1',
          isAssigned: true,
          checks: { tcp: { outcome: 'passing', output: 'open', sinceMs: 0 } },
        },
        {
          ...{ node: 'b', name: 'n2', isAssigned: true },
          checks: { tcp: { outcome: 'critical', output: `refused ${'x'.repeat(100)}`, sinceMs: 0 } },
        },
        { node: 'c', name: 'n3', isAssigned: true, checks: {} },
      ] as const;
    const other = await openApiServer({ vantages });
    try {
      const registration = { address: '10.0.0.1', port: 80, checks: [{ type: 'tcp', initial: 'passing' }] };
      await other.call('PUT', '/v1/services/cart/instances/c-1', registration);
      const { out } = await runCommand(['explain', 'cart.service.local', '--http', other.url]);
      const table = out.split('\n\n').at(-1);
      assert.equal(
        table,
        `INSTANCE  CHECK  OUTCOME  AT EACH NODE
c-1       tcp    passing  n1 passing; n2 critical (refused ${'x'.repeat(51)}…); n3 no result
`,
      );
      const exported = await runCommand(['export', '-', '--http', other.url]);
      assert.doesNotMatch(exported.out, /vantages/);
      assert.match(exported.out, /"id":"c-1"/);
    } finally {
      await other.close();
    }
  });
});

describe('rollcall cluster', () => {
  it('prints the members and the endpoints', async () => {
    const { code, out, err } = await cluster({});
    assert.deepEqual([code, err], [0, '']);
    assert.equal(
      out,
      `asked n1 (aaaaaaaa): up to date, checks 1 instance
store etcd at revision 90

NODE  ID        VERSION  HTTP           STARTED                   ROLE
n1    aaaaaaaa  1.2.3    10.0.0.1:8500  2026-11-24T02:00:00.000Z  asked
n2    bbbbbbbb  1.2.3    10.0.0.2:8500  2026-11-24T02:00:00.000Z  elected

ETCD                  STATE   VERSION  REVISION  LAG  SIZE     WHY
http://10.0.0.1:2379  leader  3.4.23   95        5    1.3 MiB
http://10.0.0.2:2379  down    -        -         -    -        connection refused
`,
    );
  });

  it('prints JSON', async () => {
    const { code, out } = await cluster({}, '--json');
    assert.deepEqual([code, JSON.parse(out)], [0, REPORT]);
  });

  const rows: readonly (readonly [what: string, changes: Partial<ClusterReport>, code: number, text: RegExp])[] = [
    ['short silence', { silentMs: 7000 }, 0, /has not heard of etcd for 7s,/],
    ['a moment of silence', { silentMs: 999 }, 0, /up to date/],
    ['a stale node', { silentMs: 150_000, stale: true }, 1, /: stale, has not heard of etcd for 2m30s/],
    [
      'one that never heard',
      { silentMs: null, stale: true, members: [] },
      1,
      /^asked aaaaaaaa: stale, has not heard of etcd since its start/,
    ],
    ['no endpoint up', { store: ENDPOINTS_DOWN }, 1, /down/],
    ['nobody elected', { elected: null }, 0, /n1/],
    [
      'a server alone',
      { members: [member('n1', 'n1', true)], store: ALONE },
      0,
      /^asked n1: up to date, checks 1 instance\nstore lmdb at revision 4\n/,
    ],
  ];
  for (const [what, changes, expected, text] of rows) {
    it(`${what}: exit code ${expected}`, async () => {
      const { code, out } = await cluster(changes);
      assert.equal(code, expected);
      assert.match(out, text);
      assert.equal((await cluster(changes, '--json')).code, expected);
    });
  }

  it('shows no endpoints where there is no etcd', async () => {
    assert.doesNotMatch((await cluster({ store: ALONE })).out, /ETCD/);
  });

  it('says in its help when it fails', async () => {
    const { code, out } = await runCommand(['cluster', '--help']);
    assert.equal(code, 0);
    assert.match(out, /Exit code 1 when/);
  });
});
