// header-refusals.ts -- what is said to requests whose head is too large

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DOH_PATH } from './doh-routes.ts';

/** Code and message of the error. */
export type Refusal = readonly [code: string, message: string];

export const HEADERS_TOO_LARGE: Refusal = ['headers_too_large', 'the headers are too large'];
/** For the path of a DNS question: a message that is too long is 413, whatever the method. */
export const TOO_LONG_QUESTION: Refusal = ['too_large', 'the question is too long for a GET; a POST may be longer'];

/** Is this the path of a DNS question by GET? */
export function isDohPath(path: string): boolean {
  return path.startsWith(`${DOH_PATH}?`);
}

/** What Node tells of a request of HTTP/1 that it could not read. */
export interface UnreadableRequest {
  readonly code?: string | undefined;
  /** What came last, and how much of it was read. */
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

const QUESTION_START = Buffer.from(`GET ${DOH_PATH}?`);
const CARRIAGE_RETURN = 0x0d;

/** Tells DNS questions by GET whose path alone is too large from other requests whose head is. */
export class LongQuestions {
  /** Connections that are in the middle of such a path. */
  readonly #open = new WeakSet<Duplex>();

  /** Follow a connection that HTTP/1 is spoken on already. Needed where a path comes in pieces, as records of TLS are. */
  watch(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => {
      if (chunk.includes(CARRIAGE_RETURN)) this.#open.delete(socket);
      else if (startsQuestion(chunk)) this.#open.add(socket);
    });
  }

  /** Is this what was wrong? Then it is 413, as for a POST. */
  isOne({ code, rawPacket, bytesParsed }: UnreadableRequest, socket: Duplex): boolean {
    if (code !== 'HPE_HEADER_OVERFLOW' || rawPacket === undefined) return false;
    // Anything else there may be of it is behind the path, or came in packets before.
    const read = rawPacket.subarray(0, bytesParsed);
    return !read.includes(CARRIAGE_RETURN) && (this.#open.has(socket) || startsQuestion(read));
  }
}

function startsQuestion(octets: Buffer): boolean {
  return octets.subarray(0, QUESTION_START.length).equals(QUESTION_START);
}
