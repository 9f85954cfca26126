// probe-queue.ts -- at most so many probes at a time, the rest first come, first served

/** Runs tasks with a bound on how many are under way. */
export class ProbeQueue {
  readonly #limit: number;
  #running = 0;
  #waiting: (() => Promise<void>)[] = [];
  #head = 0;

  /** `limit` >= 1. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Tasks under way. */
  get running(): number {
    return this.#running;
  }

  /** Tasks that wait for their turn. */
  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  /** Start `task` now, or when those before it have left room. A task must not reject. */
  add(task: () => Promise<void>): void {
    if (this.#running < this.#limit) this.#start(task);
    else this.#waiting.push(task);
  }

  /** Forget the tasks that have not started. */
  clear(): void {
    this.#waiting = [];
    this.#head = 0;
  }

  #start(task: () => Promise<void>): void {
    this.#running++;
    const done = () => {
      this.#running--;
      const next = this.#take();
      if (next !== undefined) this.#start(next);
    };
    task().then(done, done);
  }

  /** Array.shift moves every element; a moving head with a rare clean-up does not. */
  #take(): (() => Promise<void>) | undefined {
    const task = this.#waiting[this.#head];
    if (task === undefined) return undefined;
    this.#head++;
    if (this.#head >= 1024 && this.#head * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return task;
  }
}
