// event-parser.ts -- server-sent events out of octets, however these were cut up (WHATWG HTML, section 9.2.6)

/** One event; without `event` and `data` it only moves the id on. */
export interface StreamEvent {
  /** The type; undefined: none was said. */
  readonly event: string | undefined;
  /** Lines joined by \n; undefined: there was none. */
  readonly data: string | undefined;
  /** The last id said so far. */
  readonly id: string | undefined;
}

/** A line or an event that is longer is not from a Rollcall server. */
const MAX_EVENT_CHARACTERS = 16 * 1024 * 1024;

/** Reads one stream. What is cut off before the empty line that ends an event never counts, nor does its id. */
export class EventParser {
  readonly #decoder = new TextDecoder();
  readonly #maxCharacters: number;
  /** Parts of a line whose end has not come. */
  #pending: string[] = [];
  #pendingLength = 0;
  #isAfterCr = false;
  #event: string | undefined;
  #data: string[] = [];
  #dataLength = 0;
  #id: string | undefined;

  constructor(maxCharacters = MAX_EVENT_CHARACTERS) {
    this.#maxCharacters = maxCharacters;
  }

  /** The events that these octets complete. Throws RangeError when one grows beyond the limit. */
  push(octets: Uint8Array): StreamEvent[] {
    const events: StreamEvent[] = [];
    const text = this.#decoder.decode(octets, { stream: true });
    let from = 0;
    if (this.#isAfterCr && text.length > 0) {
      if (text.startsWith('\n')) from = 1;
      this.#isAfterCr = false;
    }
    const ends = /\r\n|\r|\n/g;
    ends.lastIndex = from;
    for (let end = ends.exec(text); end !== null; end = ends.exec(text)) {
      this.#keep(text.slice(from, end.index));
      from = ends.lastIndex;
      this.#isAfterCr = end[0] === '\r' && from === text.length;
      const event = this.#line(this.#takeLine());
      if (event !== undefined) events.push(event);
    }
    if (from < text.length) this.#keep(text.slice(from));
    return events;
  }

  #keep(part: string): void {
    this.#pendingLength += part.length;
    if (this.#pendingLength + this.#dataLength > this.#maxCharacters) throw new RangeError('an event is too long');
    this.#pending.push(part);
  }

  #takeLine(): string {
    const line = this.#pending.length === 1 ? this.#pending[0]! : this.#pending.join('');
    this.#pending = [];
    this.#pendingLength = 0;
    return line;
  }

  /** The event that a line ends, if it is an empty one. */
  #line(line: string): StreamEvent | undefined {
    if (line === '') return this.#finish();
    const colon = line.indexOf(':');
    if (colon === 0) return undefined;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'event') this.#event = value;
    else if (name === 'data') {
      this.#data.push(value);
      this.#dataLength += value.length + 1;
    } else if (name === 'id' && !value.includes('\0')) this.#id = value;
    return undefined;
  }

  #finish(): StreamEvent {
    const data = this.#data.length === 0 ? undefined : this.#data.join('\n');
    const event = { event: this.#event, data, id: this.#id };
    this.#event = undefined;
    this.#data = [];
    this.#dataLength = 0;
    return event;
  }
}
