// long-reply.ts -- replies that may be long: written as JSON with pauses, and of no use when the caller is gone

import type { FastifyReply } from 'fastify';
import { isPause } from '../base/pauses.ts';

/** Text of a reply, ready to be sent. */
export type JsonText = string;

/** The JSON of `{ ...head, [name]: items.map(present) }`. */
export function* listJson<T>(
  head: object,
  name: string,
  items: readonly T[],
  present: (item: T, index: number) => object,
): Generator<void, JsonText> {
  const texts: string[] = [];
  let some: string[] = [];
  for (let i = 0; i < items.length; i++) {
    if (isPause(i)) {
      texts.push(some.join());
      some = [];
      yield;
    }
    some.push(JSON.stringify(present(items[i]!, i)));
  }
  if (some.length > 0) texts.push(some.join());
  const opening = JSON.stringify({ ...head, [name]: [] }).slice(0, -2);
  return `${opening}${texts.join()}]}`;
}

/** Says when the caller has gone away. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}

export function sendJson(reply: FastifyReply, text: JsonText): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(text);
}
