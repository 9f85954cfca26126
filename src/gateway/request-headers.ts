// request-headers.ts -- the headers that an instance gets: the client's, without those of its connection, and with who it is

import { randomUUID } from 'node:crypto';
import { CodedError } from '../base/errors.ts';
import type { Peer } from './client-address.ts';
import type { RequestHead } from './request-head.ts';

/** A request that came by here so often goes in a circle. Services behind one gateway may call each other through it. */
const MAX_PASSES = 3;
const MAX_REQUEST_ID = 128;

/**
 * Headers that a client cannot have removed by naming them in `Connection`: without them an instance would take the
 * request for another one (RFC 9110 section 7.6.1 forbids to name them). Those that the gateway writes itself are safe.
 */
const KEPT = new Set(['authorization', 'cache-control', 'content-encoding', 'content-type', 'cookie', 'range']);

/** What goes to an instance. */
export interface ForwardedHeaders {
  /** Names and values in turn. The first name is Host: whoever sends to several instances may replace its value. */
  readonly headers: string[];
  readonly requestId: string;
}

/** Where `headers` of ForwardedHeaders has the value of Host. */
export const HOST_VALUE = 1;

/**
 * The headers for an instance. `host`: value of Host. `pseudonym`: of this gateway, in `Via` (RFC 9110 section 7.6.3);
 * a token. Throws CodedError `loop_detected` when the request has been here too often.
 */
export function forwardedHeaders(head: RequestHead, peer: Peer, host: string, pseudonym: string): ForwardedHeaders {
  if (head.via !== undefined && passes(head.via, pseudonym) >= MAX_PASSES) {
    throw new CodedError('loop_detected', 'the request came back to this gateway; a service calls itself through it');
  }
  const headers = ['Host', host];
  addPlain(headers, head);
  if (head.contentLength !== undefined) headers.push('Content-Length', head.contentLength);
  if (head.cookie !== undefined) headers.push('Cookie', head.cookie);
  if (head.takesTrailers) headers.push('TE', 'trailers');
  if (peer.isTrusted) addForwarding(headers, head, peer);
  else {
    headers.push('X-Forwarded-For', peer.address.text);
    addOrigin(headers, head, peer);
    headers.push('Forwarded', peer.forwarded(head.authority.text));
  }
  const requestId = requestIdOf(head, peer);
  headers.push('X-Request-Id', requestId);
  if (head.traceparent !== undefined && isTraceparent(head.traceparent)) {
    headers.push('traceparent', head.traceparent);
    if (head.tracestate !== undefined) headers.push('tracestate', head.tracestate);
  }
  const hop = `${head.protocol.slice(5)} ${pseudonym}`;
  headers.push('Via', head.via === undefined ? hop : `${head.via}, ${hop}`);
  return { headers, requestId };
}

/** The request came by https, to us or to a trusted proxy in front of us. */
export function isSecure(head: RequestHead, peer: Peer): boolean {
  return peer.isTrusted && head.forwardedProto !== undefined
    ? head.forwardedProto.trim().toLowerCase() === 'https'
    : peer.isTls;
}

function addPlain(headers: string[], head: RequestHead): void {
  const { plain, connection } = head;
  const named = connection === undefined ? undefined : namedIn(connection);
  for (let i = 0; i < plain.length; i += 2) {
    const name = plain[i]!;
    if (named?.includes(name.toLowerCase())) continue;
    headers.push(name, plain[i + 1]!);
  }
}

/** The headers that `Connection` names; undefined when there are none. */
export function namedIn(connection: string): string[] | undefined {
  if (connection === 'keep-alive' || connection === 'close') return undefined;
  const named: string[] = [];
  for (const token of connection.split(',')) {
    const name = token.trim().toLowerCase();
    if (name !== '' && name !== 'close' && name !== 'keep-alive' && !KEPT.has(name)) named.push(name);
  }
  return named.length === 0 ? undefined : named;
}

/** A trusted proxy is believed and added to. */
function addForwarding(headers: string[], head: RequestHead, peer: Peer): void {
  const { forwardedFor, forwarded, forwardedOthers } = head;
  // Where it sent only one of the two kinds, the other one could only tell of the proxy, as if it were the client.
  if (forwardedFor !== undefined) headers.push('X-Forwarded-For', `${forwardedFor}, ${peer.address.text}`);
  else if (forwarded === undefined) headers.push('X-Forwarded-For', peer.address.text);
  addOrigin(headers, head, peer);
  const own = peer.forwarded(head.authority.text);
  if (forwarded !== undefined) headers.push('Forwarded', `${forwarded}, ${own}`);
  else if (forwardedFor === undefined) headers.push('Forwarded', own);
  if (forwardedOthers !== undefined) headers.push(...forwardedOthers);
}

/** `X-Forwarded-Proto`, `-Host` and `-Port`. */
function addOrigin(headers: string[], head: RequestHead, peer: Peer): void {
  const { authority } = head;
  const proto = (peer.isTrusted && head.forwardedProto) || (peer.isTls ? 'https' : 'http');
  headers.push('X-Forwarded-Proto', proto);
  const host = (peer.isTrusted && head.forwardedHost) || authority.text;
  if (host !== '') headers.push('X-Forwarded-Host', host);
  const port = (peer.isTrusted && head.forwardedPort) || portOf(authority.port, proto);
  headers.push('X-Forwarded-Port', port);
}

function portOf(port: number | undefined, proto: string): string {
  if (port !== undefined) return String(port);
  return proto === 'https' ? '443' : '80';
}

function requestIdOf(head: RequestHead, peer: Peer): string {
  const { requestId } = head;
  return peer.isTrusted && requestId !== undefined && isRequestId(requestId) ? requestId : randomUUID();
}

/** It goes into logs and replies as it is. */
function isRequestId(text: string): boolean {
  return text.length <= MAX_REQUEST_ID && /^[\x21-\x7e]+$/.test(text);
}

/** W3C Trace Context section 3.2: version, trace, parent, flags; later versions may have more behind. */
function isTraceparent(text: string): boolean {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-[\x21-\x2b\x2d-\x7e]*)?$/.exec(text);
  if (match === null || text.length > 256) return false;
  const [, version, trace, parent, more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return false;
  return !/^0+$/.test(trace!) && !/^0+$/.test(parent!);
}

function passes(via: string, pseudonym: string): number {
  let count = 0;
  for (const hop of via.split(',')) if (hop.trim().split(/[ \t]+/)[1] === pseudonym) count++;
  return count;
}
