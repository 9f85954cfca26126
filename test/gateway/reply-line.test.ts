// reply-line.test.ts -- pipelined requests whose turn never comes, or comes late

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { latch, Rig, until } from '../support/gateway-rig.ts';

const REQUEST = 'GET /held HTTP/1.1\r\nHost: x\r\n\r\n';

test('requests behind one whose client goes away are over as well', async (t) => {
  const { rig, instances } = await Rig.start(t, [() => {}]);
  const socket = connect(rig.front.port, '127.0.0.1');
  socket.on('error', () => {});
  // More than the listeners that Node takes for a leak.
  socket.write(REQUEST.repeat(12));
  await until(() => rig.gateway.size === 12 && instances[0]!.sockets.size === 12);
  socket.destroy();
  const records = await rig.recorded(12);
  assert.deepEqual(
    records.map(({ status }) => status),
    Array(12).fill(499),
  );
  assert.equal(rig.gateway.size, 0);
  await instances[0]!.whenEmpty();
});

test('requests behind a reply that is cut are over as well, answered or not', async (t) => {
  let held: ServerResponse | undefined;
  const isAnswered = latch();
  const { rig } = await Rig.start(t, [
    (request, response) => {
      if (request.url === '/cut') held = response;
      else response.end('ok', () => isAnswered.open());
    },
  ]);
  const reply = rig.raw(`GET /cut HTTP/1.1\r\nHost: x\r\n\r\n${REQUEST}`);
  await isAnswered.promise;
  await until(() => held !== undefined);
  held!.writeHead(200, { 'content-length': 9 });
  held!.write('part', () => held!.destroy());
  assert.match(await reply, /^HTTP\/1\.1 200 OK\r\n[\s\S]*part$/);
  await rig.recorded(2);
  assert.equal(rig.gateway.size, 0);
});

test('a reply that waits for the one before it is not idle', async (t) => {
  const { rig } = await Rig.start(
    t,
    [(request, response) => void setTimeout(() => response.end(request.url), request.url === '/slow' ? 300 : 0)],
    { idleTimeoutMs: 50 },
  );
  const last = 'GET /quick HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  const reply = await rig.raw(`GET /slow HTTP/1.1\r\nHost: x\r\n\r\n${last}`);
  assert.match(reply, /\/slow[\s\S]*\/quick$/);
});
