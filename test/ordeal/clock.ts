// clock.ts -- the wall clock of the server is set forward and back all the time: nobody is sent away, nothing flips

import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { makeServerFolder, startBuiltServer } from '../support/built-server.ts';
import { FakeTime } from '../support/fake-time.ts';
import { type OrdealRow, showProgress } from './ordeal-result.ts';

const INSTANCES = 200;
const JUMPS = ['+1h', '-1d', '+0', '-1d', '+1h', '+30d', '-30d', '+0'];
const ROUNDS = 3;
const EACH_MS = 2500;
/** Long enough for a busy machine: what is tried is jumps, not speed. */
const LEASE = '6s';
const BEAT_MS = 1000;

export async function clock(scope: { after(cleanup: () => unknown): void }): Promise<OrdealRow[]> {
  const folder = makeServerFolder(scope);
  const refuse = (message?: string) => {
    throw new Error(message);
  };
  const time = await FakeTime.prepare({ skip: refuse }, folder);
  if (time === undefined) return [];
  const server = await startBuiltServer(scope, { folder, prefix: time.prefix });
  const pool = new Pool(server.url, { connections: 8 });
  scope.after(() => pool.close());
  const ids: string[] = [];
  let refused = 0;
  const beat = async (id: string): Promise<void> => {
    const { statusCode, body } = await pool.request({ method: 'PUT', path: `/v1/instances/${id}/heartbeat` });
    await body.dump();
    if (statusCode !== 200) refused++;
  };
  // The first need heartbeats while the last are being registered.
  const beating = setInterval(() => void Promise.all(ids.map(beat)).catch(() => refused++), BEAT_MS);
  scope.after(() => clearInterval(beating));
  const checks = [{ type: 'heartbeat', interval: LEASE, initial: 'passing' }];
  for (let i = 0; i < INSTANCES; i++) {
    const kind = i % 2 === 0 ? { leaseTtl: LEASE } : { checks };
    await server.register('beats', `beats-${i}`, { address: `10.3.0.${i}`, port: 80, ...kind });
    ids.push(`beats-${i}`);
  }
  const before = await server.api('GET', '/v1/services/beats');
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, jump] of JUMPS.entries()) {
      time.jumpTo(jump);
      await sleep(EACH_MS);
      showProgress('clock', round * JUMPS.length + i + 1, ROUNDS * JUMPS.length);
    }
  }
  clearInterval(beating);
  const after = await server.api('GET', '/v1/services/beats');
  const changed = after.body.index - before.body.index;
  return [
    {
      what: `of ${INSTANCES} that beat in time, changes while the clock jumped ${ROUNDS * JUMPS.length} times`,
      measured: String(changed),
      promised: '0',
      isKept: changed === 0 && after.body.instances.length === INSTANCES,
    },
    { what: 'heartbeats refused', measured: String(refused), promised: '0', isKept: refused === 0 },
  ];
}
