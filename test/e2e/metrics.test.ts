// metrics.test.ts -- docs/metrics.md has every metric of a running server, and no others

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { startBuiltServer } from '../support/built-server.ts';

const DOCUMENT = new URL('../../docs/metrics.md', import.meta.url);

describe('docs/metrics.md', () => {
  it('names the metrics of a server, with their labels', async (t) => {
    const routes = [{ service: 'web' }];
    const server = await startBuiltServer(t, { config: { gateway: { listen: ['127.0.0.1:0'], routes } } });
    await server.register('web', 'w1', {
      address: '127.0.0.1',
      port: 9,
      checks: [{ type: 'heartbeat', interval: '1h' }],
    });
    await server.register('web', 'w2', { address: '127.0.0.1', port: 9 });
    await server.addresses('web.service.local');
    assert.equal((await fetch(`http://127.0.0.1:${server.gateway.port}/`)).status, 502);
    const { body } = await server.api('GET', '/metrics');
    const served = [...(body as string).matchAll(/^# TYPE (rollcall_\w+) /gm)].map(([, name]) => name!);
    const rows = readFileSync(DOCUMENT, 'utf8').split('\n');
    const told = rows.filter((row) => row.startsWith('| `rollcall_')).map((row) => row.split('|').slice(1, 3));
    const names = told.flatMap(([cell]) => [...cell!.matchAll(/`(rollcall_\w+)`/g)].map(([, name]) => name!));
    assert.deepEqual(names.sort(), served.sort());
    for (const [cell, labels] of told) {
      const name = /`(rollcall_\w+)`/.exec(cell!)![1]!;
      const documented = [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label);
      const sample = new RegExp(`^${name}(?:_count)?\\{([^}]*)\\}`, 'm').exec(body as string);
      const used = sample === null ? documented : [...sample[1]!.matchAll(/(\w+)="/g)].map(([, label]) => label);
      assert.deepEqual(used.filter((label) => label !== 'le').sort(), [...documented].sort(), `the labels of ${name}`);
    }
  });
});
