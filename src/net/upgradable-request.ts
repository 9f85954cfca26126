// upgradable-request.ts -- requests of HTTP/1.1 that may leave it by `Upgrade`, told from those that only offer to

import { IncomingMessage } from 'node:http';

const WANTED = Symbol('the parser saw an Upgrade');

/**
 * A request whose `upgrade` is true only where a handler of upgrades should have it. Node would hand it all of them:
 * those too whose client would like HTTP/2 but does without (`h2c`, offered by curl and by Java's client with any
 * request), and those with a body, which would be taken for the octets of the other protocol. Both are plain requests
 * here, as are those of HTTP/1.0; a server may pass over any `Upgrade` (RFC 9110 section 7.8).
 */
export class UpgradableRequest extends IncomingMessage {
  declare [WANTED]: boolean | null;

  get upgrade(): boolean | null {
    return this[WANTED] === true ? this.method === 'CONNECT' || isUpgrade(this) : this[WANTED];
  }

  /** Written by Node, when it has read the head. */
  set upgrade(wanted: boolean | null) {
    this[WANTED] = wanted;
  }
}

function isUpgrade({ headers, httpVersion }: IncomingMessage): boolean {
  const { host, upgrade = '' } = headers;
  if (httpVersion !== '1.1' || host === undefined) return false;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return !hasBody && upgrade.split(',').some((protocol) => !/^\s*(h2c)?\s*$/i.test(protocol));
}
