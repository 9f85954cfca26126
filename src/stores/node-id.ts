// node-id.ts -- what a node is called in keys of its own: made up once, and kept in its local store

import { randomBytes } from 'node:crypto';
import type { Store } from '../registry/store.ts';

const KEY = 'node/id';

/** Eight hexadecimal digits, the same at every start with this store. Rejects as the store does. */
export async function nodeId(local: Store): Promise<string> {
  const { records } = await local.load();
  const known = records.find(({ key }) => key === KEY)?.value;
  if (typeof known === 'string') return known;
  const made = randomBytes(4).toString('hex');
  await local.commit([{ key: KEY, value: made }]);
  return made;
}
