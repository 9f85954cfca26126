// client-reply.ts -- a reply on its way to the client: head, body and trailers, for HTTP/1 and HTTP/2

import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Response } from './refusal.ts';
import { reasonPhrase, replyHeadersObject } from './response-headers.ts';

export class ClientReply {
  /** Octets of the body. */
  sent = 0;
  readonly #response: Response;
  readonly #http2: Http2ServerResponse | undefined;
  /** Of the body; -1: not stated. */
  #length = -1;
  #isEnded = false;
  /** It was ended and not cut. */
  #isWhole = false;
  #hasBegun = false;

  constructor(response: Response) {
    this.#response = response;
    this.#http2 = 'stream' in response ? response : undefined;
  }

  /** A head was sent, or is about to be. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** All of it was handed over. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Nothing but the head is there. */
  get isBare(): boolean {
    return this.sent === 0 && !this.#isEnded;
  }

  /** Names and values in turn. */
  head(status: number, phrase: string, headers: string[]): void {
    this.#hasBegun = true;
    this.#length = lengthIn(headers);
    if (this.#http2 !== undefined) this.#http2.writeHead(status, replyHeadersObject(headers));
    else (this.#response as unknown as HeadWriter).writeHead(status, reasonPhrase(phrase), headers);
  }

  /** False: the client is slow, and says `drain` when more may come. */
  write(chunk: Buffer): boolean {
    this.sent += chunk.length;
    if (this.sent !== this.#length) return (this.#response as ServerResponse).write(chunk);
    // The head, the body and the end in one go.
    this.#isEnded = true;
    this.#isWhole = true;
    this.#response.end(chunk);
    return true;
  }

  /** Names and values in turn. */
  end(trailers: readonly Buffer[]): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#isWhole = true;
    if (trailers.length > 0) this.#addTrailers(trailers);
    this.#response.end();
  }

  /** `103 (Early Hints)`; what Node does not take is not passed on. */
  hints(raw: readonly Buffer[]): void {
    if (this.#hasBegun) return;
    const links: string[] = [];
    for (let i = 0; i + 1 < raw.length; i += 2) {
      if (raw[i]!.toString('latin1').toLowerCase() === 'link') links.push(raw[i + 1]!.toString('latin1'));
    }
    if (links.length === 0) return;
    try {
      this.#response.writeEarlyHints({ link: links });
    } catch {
      // It is a hint.
    }
  }

  /** It was a refusal of our own, with so many octets of body. */
  refused(octets: number): void {
    this.#hasBegun = true;
    this.#isEnded = true;
    this.#isWhole = true;
    this.sent = octets;
  }

  /** The client has got all of it, as far as anybody here can tell. */
  get isSent(): boolean {
    if (this.#http2 !== undefined) return this.#isWhole && this.#http2.stream.rstCode === 0;
    return this.#isWhole && (this.#response as ServerResponse).writableFinished;
  }

  /** Some of it waits for the client. */
  get isHeldUp(): boolean {
    return (this.#http2?.stream.writableLength ?? this.#response.writableLength) > 0;
  }

  /** Do not wait for the body. */
  flushHead(): void {
    if (this.#http2 === undefined) (this.#response as ServerResponse).flushHeaders();
  }

  /** The client must not take what it has for the whole. */
  cut(): void {
    this.#isEnded = true;
    this.#isWhole = false;
    if (this.#http2 !== undefined) this.#http2.stream.close(INTERNAL_ERROR);
    else this.#response.destroy();
  }

  #addTrailers(raw: readonly Buffer[]): void {
    const trailers: Record<string, string> = {};
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = raw[i]!.toString('latin1').toLowerCase();
      const value = raw[i + 1]!.toString('latin1');
      if (NOT_TRAILERS.has(name) || !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value))
        continue;
      trailers[name] = Object.hasOwn(trailers, name) ? `${trailers[name]}, ${value}` : value;
    }
    this.#response.addTrailers(trailers);
  }
}

/** `writeHead` of `node:http` takes the usual phrase when there is none. */
interface HeadWriter {
  writeHead(status: number, phrase: string | undefined, headers: string[]): void;
}

/** NGHTTP2_INTERNAL_ERROR. */
const INTERNAL_ERROR = 2;
/** What frames or routes a message never comes after it (RFC 9110 section 6.5.1). */
const NOT_TRAILERS = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const CONTENT_LENGTH = 'content-length';

function lengthIn(headers: readonly string[]): number {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    if (name.length === CONTENT_LENGTH.length && name.toLowerCase() === CONTENT_LENGTH) return Number(headers[i + 1]);
  }
  return -1;
}
