// registry-names.ts -- what a domain makes its names from: the registry itself, or a shard's replica of it

import type { AnsweringService } from '../registry/member.ts';
import type { Cursors } from './cursors.ts';
import type { NameIndex } from './name-index.ts';

export interface RegistryNames {
  readonly index: NameIndex;
  readonly cursors: Cursors;
  /** The service of this name (lower case), while it has an instance or a policy. */
  service(name: string): AnsweringService | undefined;
  /** How many services there are: `_tcp.D` exists while there is one. */
  serviceCount(): number;
}
