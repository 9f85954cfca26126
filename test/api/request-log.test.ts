// request-log.test.ts -- what requests leave in the log: a line each at debug, nothing at info, and no forged lines

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createLogger, type LogLevel } from '../../src/base/log.ts';
import { openApiServer, tokenEntry } from '../support/api-server.ts';

async function linesAt(level: LogLevel): Promise<Record<string, unknown>[]> {
  const lines: string[] = [];
  const log = createLogger(level, { write: (line) => lines.push(line) });
  const reload = () => Promise.reject(new Error('broken'));
  const tokens = [tokenEntry('boss', 'operator')];
  const server = await openApiServer({ log, reload, access: { tokens, allowHosts: [] } });
  const boss = { authorization: 'Bearer boss' };
  await server.call('GET', '/healthz');
  await server.call('GET', '/v1/instances/a%0a%7b%22level%22:60%7d', undefined, boss);
  await server.call('GET', '/nothing', undefined, boss);
  await server.call('POST', '/v1/reload', undefined, boss);
  await server.close();
  return lines.map((line) => JSON.parse(line));
}

it('info: only faults of our own', async () => {
  const lines = await linesAt('info');
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [[50, 'request failed']],
  );
  assert.match(JSON.stringify(lines[0]), /broken/);
});

it('debug: a line for every request, without the token', async () => {
  const lines = (await linesAt('debug')).filter(({ msg }) => msg === 'http');
  assert.deepEqual(
    lines.map(({ method, url, status, caller }) => [method, url, status, caller]),
    [
      ['GET', '/healthz', 200, undefined],
      ['GET', '/v1/instances/a%0a%7b%22level%22:60%7d', 400, 'id-boss'],
      ['GET', '/nothing', 404, 'id-boss'],
      ['POST', '/v1/reload', 500, 'id-boss'],
    ],
  );
  assert.doesNotMatch(JSON.stringify(lines), /Bearer/);
});
