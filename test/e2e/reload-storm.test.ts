// reload-storm.test.ts -- zones, certificates, policies, listeners and settings change under load, and then the server
// stops under load: no query is lost; a short cut of `npm run ordeal -- reload`

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storm } from '../support/reload-storm.ts';

test('reloads of everything, and a stop, under 1,000 queries a second lose none', async (t) => {
  const result = await storm(t, { seconds: 8, queriesPerSecond: 1000, pauseMs: 200 });
  t.diagnostic(JSON.stringify(result));
  assert.ok(result.changes >= 8, `only ${result.changes} changes: not everything was changed`);
  assert.ok(result.refused >= 2, `${result.refused} reloads were refused`);
  for (const [kind, { asked, lost }] of Object.entries({ udp: result.udp, tcp: result.tcp, tls: result.tls })) {
    assert.ok(asked > 100, `${asked} asked over ${kind}`);
    assert.equal(lost, 0, `${lost} of ${asked} lost over ${kind}`);
  }
  assert.deepEqual(result.wrong, []);
  assert.equal(result.closed, 0, 'a connection ended whose listener stayed');
  assert.ok(result.stop.asked >= 400, `${result.stop.asked} asked just before the stop`);
  assert.equal(result.stop.lost, 0, `${result.stop.lost} lost by the stop`);
  assert.equal(result.stop.exitCode, 0);
  assert.ok(result.stop.tookMs < 10_000, `the stop took ${result.stop.tookMs} ms`);
  assert.deepEqual(result.answeredAgain, ['10.1.0.1']);
});
