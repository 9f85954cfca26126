// event-client.ts -- a watcher of GET /v1/watch that a test can ask for the next event

import assert from 'node:assert/strict';
import { readEvents } from '../../src/cli/event-stream.ts';

/** An event with its data read. */
export interface SeenEvent {
  readonly event: string | undefined;
  readonly id: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of any shape
  readonly data: any;
}

const PATIENCE_MS = 20_000;

export class EventClient {
  readonly headers: Headers;
  readonly #events: AsyncGenerator<SeenEvent>;
  readonly #abort: AbortController;

  private constructor(reply: Response, abort: AbortController) {
    this.headers = reply.headers;
    this.#abort = abort;
    this.#events = parsed(reply.body as unknown as AsyncIterable<Uint8Array>);
  }

  /** Watch; asserts that the server lets it. */
  static async open(url: string, query = '', headers: Record<string, string> = {}): Promise<EventClient> {
    const abort = new AbortController();
    const reply = await fetch(`${url}/v1/watch${query}`, { headers, signal: abort.signal });
    assert.equal(reply.status, 200, `watch${query}`);
    return new EventClient(reply, abort);
  }

  /** The next event that is one; undefined when the stream has ended. */
  async next(): Promise<SeenEvent | undefined> {
    for (;;) {
      const { value, done } = await this.#step();
      if (done) return undefined;
      if (value.event !== undefined) return value;
    }
  }

  /** The next of all, those that only move the id on included. */
  async nextId(): Promise<string | undefined> {
    const { value } = await this.#step();
    return value?.id;
  }

  close(): void {
    this.#abort.abort();
  }

  async #step(): Promise<IteratorResult<SeenEvent, undefined>> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('no event came')), PATIENCE_MS);
    });
    try {
      return await Promise.race([this.#events.next(), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function* parsed(octets: AsyncIterable<Uint8Array>): AsyncGenerator<SeenEvent> {
  for await (const { event, id, data } of readEvents(octets)) {
    yield { event, id, data: data === undefined ? undefined : JSON.parse(data) };
  }
}
