// large-start.ts -- 100,000 instances in lmdb: how soon a start answers

import { buildOnce } from '../support/built-server.ts';
import { INSTANCES, LargeServer, makeLargeFolder, PER_SERVICE, type Scope, serviceName } from './large-server.ts';
import type { OrdealRow } from './ordeal-result.ts';

export async function largeStart(scope: Scope): Promise<OrdealRow[]> {
  await buildOnce();
  const folder = await makeLargeFolder(scope, true);
  const server = await LargeServer.start(folder, scope, serviceName(INSTANCES / PER_SERVICE - 1));
  await server.stop();
  return [
    {
      what: `first good answer after exec, ${INSTANCES} instances in lmdb`,
      measured: `${(server.answeredMs / 1000).toFixed(2)} s`,
      promised: '2 s',
      isKept: server.answeredMs <= 2000,
    },
  ];
}
