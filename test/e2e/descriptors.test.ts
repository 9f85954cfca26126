// descriptors.test.ts -- more connections than descriptors: DNS over UDP does not notice, and all is well afterwards

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLASS, TYPE } from '../../src/dns/codes.ts';
import { encodeMessage, queryMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { type Address, type BuiltServer, startBuiltServer } from '../support/built-server.ts';
import { framed, StreamClient } from '../support/stream-client.ts';
import { requireTools, run } from '../support/tools.ts';

const NAME = 'cart-service.service.local';
const QUERY = encodeMessage(queryMessage(1, { name: parseName(`${NAME}.`), type: TYPE.A, class: CLASS.IN }));
const PATIENCE_MS = 20_000;
const CROWD = 200;
/** Free descriptors when the crowd comes. */
const SPARE = 20;
const QUESTIONS = 50;
const WATCHED_MS = 1000;
/** Of the time watched: whoever tries to accept again and again has all of one processor. */
const MAX_BUSY = 0.7;
const TICKS_PER_SECOND = 100;

function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Processor time so far, in seconds. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function assertAnswersByUdp(server: BuiltServer): Promise<void> {
  for (let i = 0; i < QUESTIONS; i++) assert.deepEqual(await server.addresses(NAME), ['10.1.0.1'], `question ${i}`);
}

/** Is a question by TCP answered? Who comes too early is turned away, and asks again. */
async function untilAnswersByTcp(server: BuiltServer): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (let tries = 1; ; tries++) {
    const client = await StreamClient.connect(server.dns);
    client.socket.write(framed(QUERY));
    const reply = await Promise.race([client.next(), sleep(2000)]);
    client.socket.destroy();
    if (reply !== undefined) return;
    assert.ok(performance.now() < deadlineMs, `no answer by TCP, ${tries} times`);
  }
}

/** Connections that stay, as long as the server keeps them; those that it does not are opened again. */
class Crowd {
  readonly #sockets = new Set<Socket>();
  #isOver = false;

  constructor(targets: readonly Address[], size: number) {
    for (let i = 0; i < size; i++) this.#join(targets[i % targets.length]!);
  }

  #join(target: Address): void {
    const socket = connect(target.port, target.address);
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (!this.#isOver) setTimeout(() => this.#isOver || this.#join(target), 100);
    });
  }

  leave(): void {
    this.#isOver = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}

test('a crowd that takes all descriptors, over and over', async (t) => {
  if (!(await requireTools(t, { prlimit: 'util-linux' }))) return;
  const server = await startBuiltServer(t);
  await server.register('cart-service', 'cart-1', { address: '10.1.0.1', port: 8080 });
  // Not from the beginning: loading its own modules takes more.
  const limit = openDescriptors(server.pid) + SPARE;
  const limiting = await run('prlimit', ['--pid', String(server.pid), `--nofile=${limit}`]);
  assert.equal(limiting.exitCode, 0, limiting.stderr);

  for (let round = 0; round < 2; round++) {
    const crowd = new Crowd([server.http, server.dns], CROWD);
    t.after(() => crowd.leave());
    while (openDescriptors(server.pid) < limit - 1) await sleep(5);
    await assertAnswersByUdp(server);
    const [before, beforeMs] = [processorSeconds(server.pid), performance.now()];
    await sleep(WATCHED_MS);
    const busy = processorSeconds(server.pid) - before;
    const share = busy / ((performance.now() - beforeMs) / 1000);
    t.diagnostic(`busy for ${Math.round(share * 100)} % of the time while descriptors are short`);
    assert.ok(share < MAX_BUSY, `busy for ${busy} s of ${WATCHED_MS} ms`);
    crowd.leave();

    await untilAnswersByTcp(server);
    await server.register('cart-service', `more-${round}`, { address: '10.1.0.1', port: 9000 + round });
    assert.equal((await server.api('GET', '/readyz')).status, 200);
  }
  const complaints = server
    .stderr()
    .split('\n')
    .filter((line) => /EMFILE|accept/.test(line));
  assert.ok(complaints.length <= 20, `${complaints.length} complaints, such as ${complaints[0]}`);
  assert.deepEqual(await server.stop(), { exitCode: 0, signal: null });
});
