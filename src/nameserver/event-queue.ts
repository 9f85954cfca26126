// event-queue.ts -- what is to happen in a simulation, by time: a binary heap of numbers

export class EventQueue {
  readonly #times: number[] = [];
  readonly #events: number[] = [];

  get isEmpty(): boolean {
    return this.#times.length === 0;
  }

  /** The time of the next event. Not when empty. */
  get nextMs(): number {
    return this.#times[0]!;
  }

  /** Events of the same time come in no certain order, but always in the same. */
  push(atMs: number, event: number): void {
    const times = this.#times;
    const events = this.#events;
    let place = times.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (times[parent]! <= atMs) break;
      times[place] = times[parent]!;
      events[place] = events[parent]!;
      place = parent;
    }
    times[place] = atMs;
    events[place] = event;
  }

  /** Take the next event. Not when empty. */
  pop(): number {
    const times = this.#times;
    const events = this.#events;
    const first = events[0]!;
    const atMs = times.pop()!;
    const event = events.pop()!;
    const { length } = times;
    if (length === 0) return first;
    let place = 0;
    for (let child = 1; child < length; child = place * 2 + 1) {
      if (child + 1 < length && times[child + 1]! < times[child]!) child++;
      if (times[child]! >= atMs) break;
      times[place] = times[child]!;
      events[place] = events[child]!;
      place = child;
    }
    times[place] = atMs;
    events[place] = event;
    return first;
  }
}
