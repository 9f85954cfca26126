// query-draw.ts -- what the draws of one query go by: whose turn it is, chance, and who asks
//
// There is one for each thread, begun anew for every query. Whoever looks at the client makes the answer one for this
// client, which the reply then says (RFC 7871).

import type { DrawState } from '../balance/plan.ts';
import type { Random } from '../base/random.ts';
import type { Branches } from '../routing/branches.ts';
import { hashClient } from '../routing/client-hash.ts';
import type { Asker, Turns } from '../routing/route.ts';
import { AddressClient, type Client } from './client.ts';

/** The branches of a name, and the turns of the question asked about it. */
export interface Selector {
  readonly branches: Branches;
  readonly turns: Turns;
}

export class QueryDraw implements DrawState, Asker {
  turn = 0;
  readonly random: Random;
  /** The answer depends on who asks. */
  usedClient = false;
  #source: Client = new AddressClient();
  #hash = 0;
  #isHashed = false;
  #selector: Selector | undefined;
  #branch = 0;

  constructor(random: Random) {
    this.random = random;
  }

  /** A query comes from `source`. */
  begin(source: Client): void {
    this.#source = source;
    this.usedClient = false;
    this.#isHashed = false;
    this.#selector = undefined;
  }

  get client(): number {
    this.usedClient = true;
    if (!this.#isHashed) {
      this.#hash = hashClient(this.#source.octets());
      this.#isHashed = true;
    }
    return this.#hash;
  }

  get knownBits(): number {
    return this.#source.knownBits;
  }

  octets(): Uint8Array {
    this.usedClient = true;
    return this.#source.octets();
  }

  /** The branch for this query. Asked again, it is the same, and no turn is taken. */
  choose(selector: Selector): number {
    if (this.#selector !== selector) {
      this.#branch = selector.branches.choose(this, selector.turns);
      this.#selector = selector;
    }
    return this.#branch;
  }
}
