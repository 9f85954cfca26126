// acknowledged.ts -- 100,000 changes: none is acknowledged before every answer shows it

import { Pool } from 'undici';
import { startBuiltServer } from '../support/built-server.ts';
import { Asker } from './asker.ts';
import { type OrdealRow, showProgress } from './ordeal-result.ts';

const CHANGES = 100_000;
const CHECKERS = 8;

export async function acknowledged(scope: { after(cleanup: () => unknown): void }): Promise<OrdealRow[]> {
  const server = await startBuiltServer(scope, { config: { store: { kind: 'memory' }, dns: { workers: 2 } } });
  const pool = new Pool(server.url, { connections: CHECKERS });
  scope.after(() => pool.close());
  let done = 0;
  let contradictions = 0;
  const startedMs = performance.now();
  const check = async (checker: number): Promise<void> => {
    const asker = await Asker.open(server.dns);
    for (let i = 0; i < CHANGES / CHECKERS; i++) {
      const address = `10.${checker}.${(i >> 8) & 255}.${i & 255}`;
      const { statusCode, body } = await pool.request({
        method: 'PUT',
        path: `/v1/services/svc-${checker}/instances/svc-${checker}`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ address, port: 80 }),
      });
      await body.dump();
      if (statusCode >= 300) throw new Error(`the registration got ${statusCode}`);
      const got = await asker.addresses(`svc-${checker}.service.local.`);
      if (got.length !== 1 || got[0] !== address) contradictions++;
      if (++done % 1000 === 0) showProgress('acknowledged', done, CHANGES);
    }
    asker.close();
  };
  await Promise.all(Array.from({ length: CHECKERS }, (_, checker) => check(checker)));
  const perSecond = Math.round(done / ((performance.now() - startedMs) / 1000));
  return [
    {
      what: `answers that contradict an acknowledged change, of ${done} (${perSecond}/s)`,
      measured: String(contradictions),
      promised: '0',
      isKept: contradictions === 0,
    },
  ];
}
