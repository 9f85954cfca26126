// heap-growth.ts -- how much garbage V8 lets pile up before it looks at all of the heap
//
// Left to itself it waits until the heap is several times as large as what is in use. Under a siege of connections that
// come and go that is a hundred megabytes of dead sockets.

import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** Percent of what was in use after the last collection. */
const GROWTH_PERCENT = 50;
/** Of a small heap, which is quickly collected. With a large registry, that would make changes a sixth dearer. */
const SMALL_GROWTH_PERCENT = 20;
const SMALL_OCTETS = 64 * 1024 * 1024;

/** To be called when all is loaded: while a large store is read, the heap grows with good reason. */
export function boundHeapGrowth(): void {
  const isSmall = getHeapStatistics().used_heap_size <= SMALL_OCTETS;
  setFlagsFromString(`--heap-growing-percent=${isSmall ? SMALL_GROWTH_PERCENT : GROWTH_PERCENT}`);
}
