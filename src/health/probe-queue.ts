// probe-queue.ts -- at most so many probes at a time, in all and to one host; hosts take turns

export interface ProbeLimits {
  /** Tasks under way at a time; >= 1. */
  readonly total: number;
  /** Of them to one host; >= 1. */
  readonly perHost: number;
}

type Task = () => Promise<void>;

/** What one host has under way and waiting. Kept only while there is some of it. */
interface Host {
  readonly name: string;
  running: number;
  /** First come, first served. */
  readonly waiting: Fifo<Task>;
}

/**
 * Runs tasks within limits. Where they wait, they wait in a line for each host, and the hosts that may go on take
 * turns: one with many slow probes holds up its own, and of the others at most one probe each round.
 */
export class ProbeQueue {
  readonly #limits: ProbeLimits;
  readonly #hosts = new Map<string, Host>();
  /** Hosts with something waiting and room for it, each once. */
  #turns = new Fifo<Host>();
  #running = 0;
  #waiting = 0;

  constructor(limits: ProbeLimits) {
    this.#limits = limits;
  }

  /** Tasks under way. */
  get running(): number {
    return this.#running;
  }

  /** Tasks that wait for their turn. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Start `task` now, or when those before it have left room. A task must not reject. */
  add(hostName: string, task: Task): void {
    const host = this.#hosts.get(hostName) ?? this.#newHost(hostName);
    if (this.#running < this.#limits.total && host.running < this.#limits.perHost && host.waiting.size === 0) {
      this.#start(host, task);
      return;
    }
    host.waiting.push(task);
    this.#waiting++;
    if (host.waiting.size === 1 && host.running < this.#limits.perHost) this.#turns.push(host);
  }

  /** Forget the tasks that have not started. */
  clear(): void {
    this.#turns = new Fifo();
    this.#waiting = 0;
    for (const host of this.#hosts.values()) {
      host.waiting.clear();
      if (host.running === 0) this.#hosts.delete(host.name);
    }
  }

  #newHost(name: string): Host {
    const host: Host = { name, running: 0, waiting: new Fifo() };
    this.#hosts.set(name, host);
    return host;
  }

  #start(host: Host, task: Task): void {
    this.#running++;
    host.running++;
    const done = () => this.#ended(host);
    task().then(done, done);
  }

  #ended(host: Host): void {
    this.#running--;
    host.running--;
    // Only now there is room for it again: otherwise it has its turn already, or nothing waits.
    if (host.waiting.size > 0 && host.running === this.#limits.perHost - 1) this.#turns.push(host);
    if (host.running === 0 && host.waiting.size === 0) this.#hosts.delete(host.name);
    while (this.#running < this.#limits.total && this.#startNext());
  }

  #startNext(): boolean {
    const host = this.#turns.shift();
    if (host === undefined) return false;
    this.#waiting--;
    this.#start(host, host.waiting.shift()!);
    if (host.waiting.size > 0 && host.running < this.#limits.perHost) this.#turns.push(host);
    return true;
  }
}

/** Array.shift moves every element; a moving head with a rare clean-up does not. */
class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head++];
    if (this.size === 0) this.clear();
    else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
