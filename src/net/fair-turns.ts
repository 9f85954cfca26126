// fair-turns.ts -- connections with more questions than one turn of the event loop should answer stand in line here
//
// The first question of whoever has just sent some is answered at once. What is beyond that comes out of an allowance
// for all connections together, and then has to wait in line: so a turn is short however many flood us, and who asks
// one question after the other waits for a short turn only.

/** Who stands in line. */
export interface TurnTaker {
  /** Answer a few questions; may stand in line again. */
  takeTurn(): void;
}

/** Taken out of the line in one turn of the event loop; each answers 16 questions at most (tcp-connection.ts). */
const TAKERS_PER_TURN = 8;
/** Questions answered at once in one turn, beside the first ones. */
const ALLOWANCE = 64;

export class FairTurns {
  readonly #line = new Set<TurnTaker>();
  #isArmed = false;
  #allowance = ALLOWANCE;

  /** How many questions may be answered at once, the first one included. */
  get allowance(): number {
    return 1 + this.#allowance;
  }

  /** So many questions were answered at once. */
  spend(questions: number): void {
    if (questions <= 1) return;
    this.#allowance = Math.max(0, this.#allowance - questions + 1);
    this.#arm();
  }

  /** Stand in line, at its end; no-op for one that stands there already. */
  add(taker: TurnTaker): void {
    this.#line.add(taker);
    this.#arm();
  }

  remove(taker: TurnTaker): void {
    this.#line.delete(taker);
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    // Behind the sockets of this turn, and before those of the next.
    setImmediate(() => {
      this.#isArmed = false;
      this.#allowance = ALLOWANCE;
      let left = TAKERS_PER_TURN;
      for (const taker of this.#line) {
        if (left-- === 0) break;
        this.#line.delete(taker);
        taker.takeTurn();
      }
      if (this.#line.size > 0) this.#arm();
    });
  }
}
