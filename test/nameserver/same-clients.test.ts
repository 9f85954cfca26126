// same-clients.test.ts -- what a client has for good it has on every node and after every restart

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatRecord } from '../../src/dns/presentation.ts';
import { NameServer } from '../support/name-server.ts';

const CLIENTS = 20_000;
const INSTANCES = 40;
const CANARY = 7;

const STICKY = (percent: number) => ({ routes: [{ match: { tags: ['canary'] }, percent, sticky: true }] });

/** A node that came to the same instances in its own way. */
async function node(policy: object, isOther: boolean): Promise<NameServer> {
  const server = await NameServer.open({ seed: isOther ? 99 : 1 });
  if (isOther) {
    server.clock.advance(86_400_000);
    await server.registerMany('something-else', 3);
    await server.setPolicy('web', { strategy: 'random' });
  }
  const numbers = Array.from({ length: INSTANCES }, (_, i) => i);
  for (const i of isOther ? numbers.toReversed() : numbers) {
    const tags = i === CANARY ? ['canary'] : [];
    const instance = { address: `10.7.0.${i}`, port: 80, weight: 1 + (i % 3), tags };
    // Registered more than once: other revisions, other times.
    if (isOther) await server.register('web', `web-${i}`, { ...instance, weight: 50 });
    await server.register('web', `web-${i}`, instance);
  }
  await server.setPolicy('web', policy);
  return server;
}

function answersOf(server: NameServer, type: string, clients = CLIENTS): string[] {
  return Array.from({ length: clients }, (_, i) => {
    const client = `10.${100 + (i >> 14)}.${(i >> 8) & 63}.${i & 255}`;
    const { answers } = server.ask(`web.service.local. ${type}`, { client });
    return answers.map((record) => formatRecord(record).split(/\s+/).at(-1)!).join(' ');
  });
}

describe('another node', () => {
  it('sends the same clients to a sticky canary of 1 %', async () => {
    const [here, there] = await Promise.all([false, true].map((isOther) => node(STICKY(1), isOther)));
    const canaryOf = (server: NameServer): number[] =>
      answersOf(server, 'A').flatMap((answer, client) => (answer === `10.7.0.${CANARY}` ? [client] : []));
    const clients = canaryOf(here!);
    assert.ok(Math.abs(clients.length / CLIENTS - 0.01) < 0.002, `${clients.length} of ${CLIENTS}`);
    assert.deepEqual(canaryOf(there!), clients);
    assert.deepEqual(canaryOf(here!), clients, 'every time');
    await here!.setPolicy('web', STICKY(5));
    const more = new Set(canaryOf(here!));
    assert.ok(
      clients.every((client) => more.has(client)),
      'those of 1 % are among those of 5 %',
    );
    assert.ok(Math.abs(more.size / CLIENTS - 0.05) < 0.005, `${more.size} of ${CLIENTS}`);
  });

  for (const type of ['A', 'SRV']) {
    it(`gives clients the same order by hash, ${type}`, async () => {
      const [here, there] = await Promise.all([false, true].map((isOther) => node({ strategy: 'hash' }, isOther)));
      assert.deepEqual(answersOf(there!, type, 2000), answersOf(here!, type, 2000));
    });

    it(`gives clients the same few by subset, ${type}`, async () => {
      const policy = { strategy: 'subset', maxAnswers: 3 };
      const [here, there] = await Promise.all([false, true].map((isOther) => node(policy, isOther)));
      const few = (server: NameServer): string[] =>
        answersOf(server, type, 2000).map((answer) => answer.split(' ').sort().join(' '));
      assert.deepEqual(few(there!), few(here!));
    });
  }
});
