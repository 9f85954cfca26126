// event-stream.ts -- server-sent events out of the octets of a reply (WHATWG HTML, section 9.2.6)

/** One event, or with neither `event` nor `data` only another id to go on from. */
export interface StreamEvent {
  readonly event: string | undefined;
  readonly data: string | undefined;
  /** The last id said so far. */
  readonly id: string | undefined;
}

/** A line of many events, or one that never ends, is not from a Rollcall server. */
const MAX_PENDING_CHARACTERS = 16 * 1024 * 1024;

/** Read events until the stream ends; one that is cut off in the middle is left out. */
export async function* readEvents(octets: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let pending = '';
  let id: string | undefined;
  for await (const chunk of octets) {
    pending += decoder.decode(chunk, { stream: true });
    const blocks = pending.split('\n\n');
    pending = blocks.pop()!;
    if (pending.length > MAX_PENDING_CHARACTERS) return;
    for (const block of blocks) {
      const fields = readFields(block);
      id = fields.get('id') ?? id;
      yield { event: fields.get('event'), data: fields.get('data'), id };
    }
  }
}

function readFields(block: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const [, name, value] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const before = fields.get(name);
    fields.set(name, name === 'data' && before !== undefined ? `${before}\n${value}` : value);
  }
  return fields;
}
