// memory.test.ts -- the memory store against the suite of all stores

import { openMemoryStore } from '../../src/stores/memory.ts';
import { testStore } from '../conformance/stores.ts';

testStore('memory', async () => openMemoryStore());
