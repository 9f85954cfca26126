// request-head.ts -- the head of one request as the gateway sees it: read in one pass over the raw headers
//
// What goes on to an instance unchanged is collected on the way; everything that the gateway itself decides on
// (hop-by-hop headers, Host, forwarding, tracing) is put aside for request-headers.ts.

import { CodedError } from '../base/errors.ts';
import { type Authority, readAuthority } from './authority.ts';
import * as kinds from './header-kind.ts';

const MAX_HEADERS = 128;
const COLON = 0x3a;
const SLASH = 0x2f;

/** What is needed of an `IncomingMessage` or an `Http2ServerRequest`. */
export interface RawRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** Names and values in turn, as they came; in HTTP/2 pseudo headers too. */
  readonly rawHeaders: readonly string[];
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
}

export class RequestHead {
  readonly method: string;
  /** Path and query, or `*`. Begins with `/` otherwise; octets as the client sent them. */
  readonly target: string;
  /** From the request line, `:authority` or Host, in this order (RFC 9112 section 3.2.2). */
  readonly authority: Authority;
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  readonly rawHeaders: readonly string[];
  /** End-to-end headers in their order, names and values in turn. */
  readonly plain: string[] = [];
  /** Of several headers of the name, all joined in their order. */
  connection: string | undefined;
  via: string | undefined;
  cookie: string | undefined;
  forwarded: string | undefined;
  forwardedFor: string | undefined;
  tracestate: string | undefined;
  /** Of several, the last. */
  forwardedProto: string | undefined;
  forwardedHost: string | undefined;
  forwardedPort: string | undefined;
  requestId: string | undefined;
  /** Of several, none. */
  traceparent: string | undefined;
  /** `X-Forwarded-Prefix`, `X-Real-IP` and the like, names and values in turn. */
  forwardedOthers: string[] | undefined;
  contentLength: string | undefined;
  isChunked = false;
  /** The client wants `100 (Continue)` before it sends the body. */
  expectsContinue = false;
  /** The client takes trailers. */
  takesTrailers = false;
  /** The client asks for `Server-Timing`. */
  wantsTiming = false;
  /** Protocols of `Upgrade`, as they came. */
  upgrade: string | undefined;

  /** Throws CodedError `bad_request`, `headers_too_large`. */
  constructor(request: RawRequest) {
    const { rawHeaders, httpVersionMajor: major } = request;
    this.method = request.method ?? 'GET';
    this.rawHeaders = rawHeaders;
    this.protocol = major === 2 ? 'HTTP/2' : request.httpVersionMinor === 0 ? 'HTTP/1.0' : 'HTTP/1.1';
    let host: string | undefined;
    let pseudo: string | undefined;
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i]!;
      const value = rawHeaders[i + 1]!;
      if (name.charCodeAt(0) === COLON) {
        if (name === ':authority') pseudo = value;
        continue;
      }
      const kind = kinds.requestHeaderKind(name);
      if (kind === kinds.PLAIN) this.plain.push(name, value);
      else if (kind !== kinds.HOST) this.#putAside(kind, name, value);
      else if (host === undefined) host = value;
      // The first and the last are seen by different programs.
      else throw new CodedError('bad_request', 'the request has more than one Host header');
    }
    if (this.plain.length > 2 * MAX_HEADERS) {
      throw new CodedError('headers_too_large', `the request has more than ${MAX_HEADERS} headers`);
    }
    if (major === 2) checkOctets(rawHeaders);
    if (pseudo !== undefined && host !== undefined && pseudo.toLowerCase() !== host.toLowerCase()) {
      throw new CodedError('bad_request', 'the Host header and :authority name different servers');
    }
    const url = request.url ?? '';
    if (url.charCodeAt(0) === SLASH) {
      this.target = url;
      this.authority = readAuthority(pseudo ?? host ?? '');
    } else {
      const absolute = readAbsolute(this.method, url);
      this.target = absolute.target;
      this.authority = readAuthority(absolute.authority ?? pseudo ?? host ?? '');
    }
    if (url.includes('#')) throw new CodedError('bad_request', 'the request target has a fragment');
  }

  /** Every value of a header, in any case; `name` in lower case. */
  values(name: string): string[] {
    const values: string[] = [];
    for (let i = 0; i < this.rawHeaders.length; i += 2) {
      const each = this.rawHeaders[i]!;
      if (each.length === name.length && each.toLowerCase() === name) values.push(this.rawHeaders[i + 1]!);
    }
    return values;
  }

  #putAside(kind: number, name: string, value: string): void {
    switch (kind) {
      case kinds.CONNECTION:
        this.connection = joined(this.connection, value);
        break;
      case kinds.TE:
        if (hasToken(value, 'trailers')) this.takesTrailers = true;
        break;
      case kinds.VIA:
        this.via = joined(this.via, value);
        break;
      case kinds.COOKIE:
        // HTTP/2 clients may send it in pieces (RFC 9113 section 8.2.3).
        this.cookie = this.cookie === undefined ? value : `${this.cookie}; ${value}`;
        break;
      case kinds.EXPECT:
        if (value.trim().toLowerCase() !== '100-continue') break;
        this.expectsContinue = true;
        break;
      case kinds.UPGRADE:
        this.upgrade = joined(this.upgrade, value);
        break;
      case kinds.CONTENT_LENGTH:
        if (this.contentLength !== undefined || !/^\d{1,15}$/.test(value)) {
          throw new CodedError('bad_request', 'the Content-Length is not one number');
        }
        this.contentLength = value;
        break;
      case kinds.TRANSFER_ENCODING:
        this.isChunked = true;
        break;
      case kinds.TIMING:
        this.wantsTiming = value === '1';
        break;
      default:
        this.#putAsideOrigin(kind, name, value);
    }
  }

  /** Headers that tell where the request comes from. */
  #putAsideOrigin(kind: number, name: string, value: string): void {
    switch (kind) {
      case kinds.FORWARDED:
        this.forwarded = joined(this.forwarded, value);
        break;
      case kinds.FORWARDED_FOR:
        this.forwardedFor = joined(this.forwardedFor, value);
        break;
      case kinds.FORWARDED_PROTO:
        this.forwardedProto = value;
        break;
      case kinds.FORWARDED_HOST:
        this.forwardedHost = value;
        break;
      case kinds.FORWARDED_PORT:
        this.forwardedPort = value;
        break;
      case kinds.FORWARDED_OTHER:
        this.forwardedOthers ??= [];
        this.forwardedOthers.push(name, value);
        break;
      case kinds.REQUEST_ID:
        this.requestId = value;
        break;
      case kinds.TRACEPARENT:
        // Two are as good as none (W3C Trace Context section 3.2): joined they are not valid.
        this.traceparent = joined(this.traceparent, value);
        break;
      case kinds.TRACESTATE:
        this.tracestate = joined(this.tracestate, value);
        break;
    }
  }
}

/** Is one of the tokens of a list header `token` (lower case)? Parameters behind `;` are not looked at. */
function hasToken(list: string, token: string): boolean {
  return list.split(',').some((each) => each.split(';', 1)[0]!.trim().toLowerCase() === token);
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

/** A target that is not a path: `http://host/path` as proxies get it, `*` of OPTIONS. Throws CodedError `bad_request`. */
function readAbsolute(method: string, url: string): { target: string; authority: string | undefined } {
  if (url === '*' && method === 'OPTIONS') return { target: url, authority: undefined };
  const match = /^https?:\/\/([^/?#]+)(.*)$/is.exec(url);
  if (match === null) throw new CodedError('bad_request', 'the request target is neither a path nor an http URL');
  const rest = match[2]!;
  return { authority: match[1], target: rest.startsWith('/') ? rest : `/${rest}` };
}

/** HTTP/1 is read by a parser that lets no others through. */
function checkOctets(rawHeaders: readonly string[]): void {
  for (const text of rawHeaders) {
    if (/[^\t\x20-\x7e\x80-\xff]/.test(text)) {
      throw new CodedError('bad_request', 'a header has an octet that no header may have');
    }
  }
}
