// https-exchange.ts -- one DNS message to a server by HTTPS, and the one that comes back (RFC 8484)

import { CodedError, errorMessage } from '../base/errors.ts';

const MEDIA_TYPE = 'application/dns-message';
const MAX_REPLY_OCTETS = 65_535;

/**
 * Post a message to a URL; the certificate is checked against what Node trusts (NODE_EXTRA_CA_CERTS adds to that).
 * Throws CodedError `timeout`, `unreachable` or `bad_reply`.
 */
export async function postDnsMessage(url: string, message: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const { request } = await import('undici');
    const { statusCode, headers, body } = await request(url, {
      method: 'POST',
      headers: { accept: MEDIA_TYPE, 'content-type': MEDIA_TYPE },
      body: message,
      signal: deadline,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of body as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > MAX_REPLY_OCTETS) throw badReply(url, 'it is longer than a DNS message');
      parts.push(part);
    }
    const type = [headers['content-type']].flat()[0]?.split(';')[0]?.trim().toLowerCase();
    if (statusCode !== 200) throw badReply(url, `its status is ${statusCode}`);
    if (type !== MEDIA_TYPE) throw badReply(url, 'it is no DNS message');
    return Buffer.concat(parts);
  } catch (thrown) {
    if (thrown instanceof CodedError) throw thrown;
    if (deadline.aborted) throw new CodedError('timeout', `${url} has not answered within ${timeoutMs / 1000} seconds`);
    const isRefused = (thrown as NodeJS.ErrnoException).code === 'ECONNREFUSED';
    throw new CodedError(
      'unreachable',
      `cannot ask ${url}: ${isRefused ? 'nobody listens there' : errorMessage(thrown)}`,
    );
  }
}

function badReply(url: string, reason: string): CodedError {
  return new CodedError('bad_reply', `the reply of ${url} is not in order: ${reason}`);
}
