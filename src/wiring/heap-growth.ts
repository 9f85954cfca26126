// heap-growth.ts -- how much garbage V8 lets pile up before it looks at all of the heap
//
// Left to itself it waits until the heap is several times as large as what is in use. Under a siege of connections that
// come and go that is a hundred megabytes of dead sockets.

import { setFlagsFromString } from 'node:v8';

/** Percent of what was in use after the last collection. With half of that, collecting costs busy large registries a sixth more. */
const GROWTH_PERCENT = 50;

/** To be called when all is loaded: while a large store is read, the heap grows with good reason. */
export function boundHeapGrowth(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
