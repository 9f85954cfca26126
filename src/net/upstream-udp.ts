// upstream-udp.ts -- one query to an upstream by UDP, from a socket of its own
//
// A new socket means a new source port, which the system chooses at random. It is connected, so that nothing reaches us
// but what comes from the upstream's address and port, and we learn when nobody listens there.

import dgram from 'node:dgram';
import type { UpstreamAddress } from './upstream-address.ts';
import { type ForwardedQuestion, makeUpstreamQuery, markOf, matchReply } from './upstream-query.ts';

/** What became of a query. `guessed`: so many wrong messages came that somebody seems to be guessing; ask by TCP. */
export type UdpOutcome =
  | { readonly kind: 'reply' | 'other case'; readonly message: Uint8Array }
  | { readonly kind: 'guessed' }
  | { readonly kind: 'failed'; readonly reason: string };

/** Take back what is under way; nothing is told of it any more. */
export type Cancel = () => void;

/** Wrong messages that are passed over; an honest upstream sends none, bar a late one. */
const MAX_WRONG_REPLIES = 8;

export interface UdpAskingOptions {
  readonly address: UpstreamAddress;
  /** The marks of all queries under way. */
  readonly marks: Set<string>;
  /** Told of each wrong message. */
  onWrong(): void;
}

/** Ask; `done` is called once, never before this returns, unless it is cancelled. */
export function askByUdp(
  { address: { endpoint }, marks, onWrong }: UdpAskingOptions,
  question: ForwardedQuestion,
  done: (outcome: UdpOutcome) => void,
): Cancel {
  const query = makeUpstreamQuery(question);
  const mark = markOf(query.octets, query.questionEnd);
  marks.add(mark);
  const type = endpoint.address.includes(':') ? 'udp6' : 'udp4';
  const socket = dgram.createSocket({ type, lookup: keepAddress });
  let isOver = false;
  let wrong = 0;
  const close = (): void => {
    if (isOver) return;
    isOver = true;
    marks.delete(mark);
    socket.close();
  };
  const finish = (outcome: UdpOutcome): void => {
    if (isOver) return;
    close();
    done(outcome);
  };
  socket.on('error', (error: NodeJS.ErrnoException) => finish({ kind: 'failed', reason: error.code ?? error.message }));
  socket.on('message', (message) => {
    if (isOver) return;
    const match = matchReply(query, message);
    if (match !== 'wrong') finish({ kind: match === 'same' ? 'reply' : 'other case', message });
    else {
      onWrong();
      if (++wrong > MAX_WRONG_REPLIES) finish({ kind: 'guessed' });
    }
  });
  socket.connect(endpoint.port, endpoint.address, () => {
    if (!isOver) socket.send(query.octets);
  });
  return close;
}

/** In place of dns.lookup: there is nothing but addresses to look up. */
function keepAddress(address: string, _: unknown, done: (error: null, address: string, family: number) => void): void {
  process.nextTick(done, null, address, address.includes(':') ? 6 : 4);
}
