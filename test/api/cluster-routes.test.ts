// cluster-routes.test.ts -- GET /v1/cluster, and how each node finds a check, in instances, services and explanations

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Value } from 'typebox/value';
import { ClusterDocument } from '../../src/api/cluster-documents.ts';
import type { ClusterReport } from '../../src/api/cluster-report.ts';
import type { Vantage } from '../../src/api/present-vantages.ts';
import { CodedError } from '../../src/base/errors.ts';
import { type ApiServer, openApiServer, tokenEntry } from '../support/api-server.ts';

const REPORT: ClusterReport = {
  node: 'aaaaaaaa',
  elected: null,
  silentMs: null,
  stale: true,
  members: [
    {
      ...{ node: 'aaaaaaaa', name: 'n1', version: '1.2.3', http: ['10.0.0.1:8500', '[::1]:8500'] },
      ...{ startedAt: '2026-11-24T02:00:00.000Z', isSelf: true, isElected: false },
    },
  ],
  checks: 3,
  store: {
    kind: 'etcd',
    revision: 90,
    endpoints: [
      {
        url: 'http://10.0.0.1:2379',
        up: true,
        version: '3.4.23',
        leader: true,
        revision: 95,
        lag: 5,
        sizeBytes: 40_960,
      },
      { url: 'http://10.0.0.2:2379', up: false, reason: 'refused' },
    ],
  },
};

const SINCE_MS = Date.UTC(2026, 10, 24, 2);
const vantage = (name: string, isAssigned: boolean, checks: Vantage['checks']): Vantage => ({
  ...{ node: `id-${name}`, name, isAssigned, checks },
});
const passing = { outcome: 'passing', output: '200', sinceMs: SINCE_MS } as const;
const critical = { outcome: 'critical', output: 'timeout', sinceMs: SINCE_MS } as const;

describe('GET /v1/cluster', () => {
  it('gives the report as it is described', async () => {
    const server = await openApiServer({ cluster: async () => REPORT });
    try {
      const { status, body } = await server.call('GET', '/v1/cluster');
      assert.equal(status, 200);
      assert.deepEqual(body, REPORT);
      assert.deepEqual([...Value.Errors(ClusterDocument, body)], []);
    } finally {
      await server.close();
    }
  });

  it('is for those who may read all services', async () => {
    const tokens = [tokenEntry('all', 'services:read:*'), tokenEntry('cart', 'services:read:cart')];
    const server = await openApiServer({ access: { tokens, allowHosts: [] } });
    try {
      for (const [token, expected] of [
        ['all', 200],
        ['cart', 403],
        ['none', 401],
      ] as const) {
        const { status } = await server.call('GET', '/v1/cluster', undefined, { authorization: `Bearer ${token}` });
        assert.equal(status, expected, token);
      }
    } finally {
      await server.close();
    }
  });
});

describe('what each node finds', () => {
  let server: ApiServer;
  let vantages: Readonly<Record<string, readonly Vantage[]>> = {};
  before(async () => {
    server = await openApiServer({ vantages: (id) => vantages[id] ?? [] });
    const checks = [{ type: 'tcp' }, { type: 'heartbeat' }, { id: 'slow', type: 'tcp' }];
    for (const id of ['c-1', 'c-2']) {
      await server.call('PUT', `/v1/services/cart/instances/${id}`, { address: '10.0.0.1', port: 80, checks });
    }
  });
  after(() => server.close());

  const told = (name: string, outcome: string | null, output: string, since: string | null) => ({
    ...{ node: `id-${name}`, name, outcome, output, since },
  });
  const since = '2026-11-24T02:00:00.000Z';

  it('stands with each check that several nodes run', async () => {
    const three = [
      vantage('n1', true, { tcp: passing, heartbeat: passing }),
      vantage('n2', true, { tcp: critical }),
      vantage('n3', false, { tcp: critical }),
    ];
    vantages = { 'c-1': three };
    const expected = [told('n1', 'passing', '200', since), told('n2', 'critical', 'timeout', since)];
    const empty = [told('n1', null, '', null), told('n2', null, '', null)];
    const read = async (path: string) => (await server.call('GET', path)).body;
    for (const { checks } of [
      await read('/v1/instances/c-1'),
      await read('/v1/instances/c-1/checks'),
      (await read('/v1/services/cart')).instances[0],
      (await server.call('PATCH', '/v1/instances/c-1', { weight: 2 })).body,
      (await server.call('PUT', '/v1/instances/c-1/maintenance', { enabled: false })).body,
    ]) {
      assert.deepEqual(
        checks.map((check: { vantages?: unknown }) => check.vantages),
        [expected, undefined, empty],
      );
    }
    const { instances } = (await server.call('GET', '/v1/services/cart')).body;
    assert.equal('vantages' in instances[1].checks[0], false);
    const explained = (await read('/v1/explain?name=cart.service.local')).instances;
    const [one, other] = ['c-1', 'c-2'].map((id) => explained.find((each: { id: string }) => each.id === id));
    assert.deepEqual(one.checks, [
      { id: 'tcp', outcome: null, vantages: expected },
      { id: 'slow', outcome: null, vantages: empty },
    ]);
    assert.equal('checks' in other, false);
  });

  it('is left out where one node runs the checks', async () => {
    vantages = { 'c-1': [vantage('n1', true, { tcp: passing }), vantage('n2', false, { tcp: passing })] };
    const { checks } = (await server.call('GET', '/v1/instances/c-1')).body;
    assert.equal('vantages' in checks[0], false);
  });
});

describe('errors of a shared store', () => {
  it('say when to come again, and what will never fit', async () => {
    for (const [code, status, retryAfter] of [
      ['store_unavailable', 503, '1'],
      ['batch_too_large', 413, null],
    ] as const) {
      const server = await openApiServer({ cluster: () => Promise.reject(new CodedError(code, 'told')) });
      try {
        const { status: found, headers, body } = await server.call('GET', '/v1/cluster');
        assert.deepEqual([found, headers.get('retry-after'), body.error.code], [status, retryAfter, code]);
      } finally {
        await server.close();
      }
    }
  });
});
