// header-refusals.ts -- what the API says to requests that none of its routes sees

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { HttpProblem, RefusalReply, RefusedRequest, UnreadableRequest } from '../net/http-refusal.ts';
import { DOH_PATH } from './doh-routes.ts';
import { ERROR_STATUS, errorBody } from './error-reply.ts';

const MESSAGES: Readonly<Record<HttpProblem, string>> = {
  bad_request: 'this is not a valid HTTP request',
  request_timeout: 'the request did not arrive in time',
  headers_too_large: 'the headers are too large',
  not_supported: 'this server is no proxy',
};

export class HeaderRefusals {
  readonly #longQuestions = new LongQuestions();

  /** Follow a connection that HTTP/1 is spoken on already. */
  watch(socket: Socket): void {
    this.#longQuestions.watch(socket);
  }

  /** For the path of a DNS question: a message that is too long is 413, whatever the method. */
  replyTo({ problem, path, connection }: RefusedRequest): RefusalReply {
    const isLongQuestion =
      problem === 'headers_too_large' &&
      (connection === undefined
        ? path !== undefined && isDohPath(path)
        : this.#longQuestions.isOne(connection.error, connection.socket));
    if (isLongQuestion) return reply('too_large', 'the question is too long for a GET; a POST may be longer');
    return reply(problem, MESSAGES[problem]);
  }
}

function reply(code: string, message: string): RefusalReply {
  return { status: ERROR_STATUS[code]!, body: JSON.stringify(errorBody(code, message)) };
}

/** Is this the path of a DNS question by GET? */
function isDohPath(path: string): boolean {
  return path.startsWith(`${DOH_PATH}?`);
}

const QUESTION_START = Buffer.from(`GET ${DOH_PATH}?`);
const CARRIAGE_RETURN = 0x0d;

/** Tells DNS questions by GET whose path alone is too large from other requests whose head is. */
class LongQuestions {
  /** Connections that are in the middle of such a path. */
  readonly #open = new WeakSet<Duplex>();

  /** Needed where a path comes in pieces, as records of TLS are. */
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
