// request-sanity.ts -- requests that Node's parser takes and a proxy must not pass on (RFC 9112 sections 6.1 and 11.2)
//
// Framing only, and what servers behind us read in different ways; names, targets and headers are request-head.ts's.

import type { IncomingMessage } from 'node:http';

export interface InsaneRequest {
  readonly status: 400;
  readonly code: 'bad_request';
  readonly message: string;
}

/** What is needed of an `IncomingMessage` or an `Http2ServerRequest`. */
type RawRequest = Pick<IncomingMessage, 'rawHeaders' | 'httpVersionMajor' | 'httpVersionMinor' | 'url'>;

const TRANSFER_ENCODING = 'transfer-encoding';

/**
 * Why a request must not be passed on; undefined: it may. Whoever refuses it sets `shouldKeepAlive` of the response to
 * false: where it ends, and another one begins, is not certain.
 */
export function insanityOf(request: RawRequest): InsaneRequest | undefined {
  const { rawHeaders, httpVersionMajor: major, httpVersionMinor: minor, url = '' } = request;
  if (major !== 2 && (major !== 1 || minor > 1)) return badRequest('this is not HTTP/1.0, HTTP/1.1 or HTTP/2');
  let codings = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length !== TRANSFER_ENCODING.length || name.toLowerCase() !== TRANSFER_ENCODING) continue;
    const coding = rawHeaders[i + 1]!;
    // Node reads an empty one as none, and `gzip, chunked` as chunked.
    if (coding.toLowerCase() !== 'chunked') return badRequest(BAD_CODING);
    codings++;
  }
  if (codings > 1) return badRequest(BAD_CODING);
  if (codings > 0 && (major !== 1 || minor === 0)) return badRequest('only HTTP/1.1 has transfer codings');
  // Some servers read it as a slash, behind the back of the routes. Browsers never send it in a path.
  const backslash = url.indexOf('\\');
  if (backslash >= 0 && !url.slice(0, backslash).includes('?')) return badRequest('there is a backslash in the path');
  return undefined;
}

const BAD_CODING = 'the Transfer-Encoding is not chunked';

function badRequest(message: string): InsaneRequest {
  return { status: 400, code: 'bad_request', message };
}
