// gateway-ordeal.test.ts -- short cuts of the gateway's ordeals on the built server

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOST_GROWTH_MIB } from '../ordeal/gateway-bodies.ts';
import { SLOW_INSTANCE_PROMISES } from '../ordeal/gateway-slow-instance.ts';
import { besiegeGateway } from '../support/gateway-siege.ts';
import { sendLargeBodies } from '../support/large-bodies.ts';
import { deployUnderLoad } from '../support/rolling-deploy.ts';
import { loadWithSlowInstance } from '../support/slow-instance.ts';
import { echoMessages } from '../support/websocket-echo.ts';

const MIB = 1024 ** 2;

test('no idempotent request fails while instances are replaced and killed', async (t) => {
  const load = { seconds: 6, instances: 4, getsPerSecond: 200, postsPerSecond: 50 };
  const { gets, failedGets, failedElsewhere, replaced, killed } = await deployUnderLoad(t, load);
  assert.deepEqual(failedGets, []);
  assert.deepEqual(failedElsewhere, []);
  assert.ok(gets >= 1000 && replaced > 0 && killed > 0, `${gets} requests, ${replaced} replaced, ${killed} killed`);
});

test('least-connections keeps away from an instance that is ten times slower', async (t) => {
  // Far slower than a loaded machine makes the others.
  const load = { seconds: 4, perSecond: 300, instances: 10, delayMs: 30, slowDelayMs: 300 };
  const { failed, requests, shareOfEqual } = await loadWithSlowInstance(t, load);
  assert.ok(requests >= 1000, `${requests} requests`);
  assert.equal(failed, 0);
  assert.ok(shareOfEqual <= SLOW_INSTANCE_PROMISES.shareOfEqual * 1.25, `${shareOfEqual} of an equal share`);
});

test('large bodies come through whole, both ways, and do not stay in memory', async (t) => {
  const { up, down } = await sendLargeBodies(t, 256 * MIB);
  for (const { isWhole, growthMib } of [up, down]) {
    assert.ok(isWhole, 'it is not what was sent');
    assert.ok(growthMib < MOST_GROWTH_MIB, `memory grew by ${growthMib} MiB`);
  }
});

test('slow clients, clients that go away and resets by an instance leave nothing behind', async (t) => {
  const crowd = { seconds: 3, slowReaders: 40, slowWriters: 40, aborting: 10 };
  const { honestFailed, slowFailed, aborted, resets, resetsWrong, ...rest } = await besiegeGateway(t, crowd);
  assert.deepEqual({ honestFailed, slowFailed, resetsWrong }, { honestFailed: 0, slowFailed: [], resetsWrong: [] });
  assert.ok(aborted > 0 && resets > 0, `${aborted} went away, ${resets} were reset`);
  const { descriptorsBefore, descriptorsAfter, exitCode } = rest;
  assert.ok(descriptorsAfter <= descriptorsBefore, `${descriptorsAfter} descriptors, before: ${descriptorsBefore}`);
  assert.equal(exitCode, 0);
});

test('ten thousand WebSocket messages come back', async (t) => {
  const { messages, right, closedInOrder } = await echoMessages(t, 10_000);
  assert.deepEqual([right, closedInOrder], [messages, true]);
});
