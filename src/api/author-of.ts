// author-of.ts -- who a request comes from, for the history

import type { FastifyRequest } from 'fastify';
import { parseIp } from '../base/ip.ts';
import type { Author } from '../registry/author.ts';

/** The token, or this machine, and the peer's address. What a proxy says of its own clients counts for nothing. */
export function authorOf({ caller, raw }: FastifyRequest): Author {
  const address = parseIp(raw.socket.remoteAddress ?? '')?.text;
  return {
    ...(caller.tokenId === undefined ? { kind: 'local' } : { kind: 'token', id: caller.tokenId }),
    ...(address === undefined ? {} : { address }),
  };
}
