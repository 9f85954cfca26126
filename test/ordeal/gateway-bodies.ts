// gateway-bodies.ts -- bodies of a gibibyte through the gateway, up and down, at constant memory

import { type LargeBody, sendLargeBodies } from '../support/large-bodies.ts';
import type { OrdealRow, Scope } from './ordeal-result.ts';

const BYTES = 1024 ** 3;
/** A tenth of the body: what V8 and the allocator leave lying about, however long it is. */
export const MOST_GROWTH_MIB = 100;

export async function gatewayBodies(scope: Scope): Promise<OrdealRow[]> {
  const { up, down } = await sendLargeBodies(scope, BYTES);
  return [...rowsOf('up', up), ...rowsOf('down, chunked', down)];
}

function rowsOf(way: string, { bytes, isWhole, growthMib, seconds }: LargeBody): OrdealRow[] {
  return [
    {
      what: `a body of ${bytes / 1024 ** 2} MiB ${way}, in ${seconds.toFixed(1)} s`,
      measured: isWhole ? 'as it was' : 'not as it was',
      promised: 'as it was',
      isKept: isWhole,
    },
    {
      what: `${way}: growth of resident memory`,
      measured: `${growthMib.toFixed(1)} MiB`,
      promised: `< ${MOST_GROWTH_MIB} MiB`,
      isKept: growthMib < MOST_GROWTH_MIB,
    },
  ];
}
