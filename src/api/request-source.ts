// request-source.ts -- where a request comes from: which peer, through a proxy or not, which Host, from which page

import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { CodedError } from '../base/errors.ts';
import { type Endpoint, isLoopback, parseIp } from '../base/ip.ts';

const MAX_HEADERS = 64;
const SINGLE = new Set(['host', 'authorization', 'content-type']);
const FORWARDING =
  /^(?:forwarded|via|x-(?:original-)?forwarded.*|x-envoy-external-address|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|cf-connecting-ip)$/;
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Refuse what is ambiguous whoever sends it. Throws CodedError `bad_request`, `headers_too_large`, `unsupported_media_type`. */
export function checkShape(request: IncomingMessage): void {
  if (request.rawHeaders.length / 2 > MAX_HEADERS) {
    throw new CodedError('headers_too_large', `the request has more than ${MAX_HEADERS} headers`);
  }
  // Node keeps the first of several and says nothing; whoever stands in front of us may have looked at the last.
  const seen = new Set<string>();
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i]!.toLowerCase();
    if (!SINGLE.has(name)) continue;
    if (seen.has(name)) throw new CodedError('bad_request', `the request has more than one ${name} header`);
    seen.add(name);
  }
  const { host, ':authority': authority } = request.headers;
  if (host !== undefined && authority !== undefined && host.toLowerCase() !== String(authority).toLowerCase()) {
    throw new CodedError('bad_request', 'the Host header and :authority name different servers');
  }
  const coding = request.headers['content-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'identity') {
    throw new CodedError('unsupported_media_type', 'compressed bodies are not taken');
  }
}

/**
 * The rule for a server without tokens: the peer is on this machine, is no proxy that carries somebody else's request,
 * and the name it believes to talk to is ours (else a web page could reach us by DNS rebinding).
 * Throws CodedError `forbidden`.
 */
export function checkLocal(
  request: IncomingMessage,
  allowHosts: readonly string[],
  listeners: readonly Endpoint[],
): void {
  const peer = parseIp(request.socket.remoteAddress ?? '');
  if (peer === undefined || !isLoopback(peer)) {
    throw new CodedError('forbidden', 'without tokens only clients on this machine are let in; see auth.tokens');
  }
  const forwarding = Object.keys(request.headers).find((name) => FORWARDING.test(name));
  if (forwarding !== undefined) {
    throw new CodedError('forbidden', `without tokens no forwarded requests are let in (header ${forwarding})`);
  }
  const hosts = [hostOf(request), targetAuthority(request.url ?? '')].filter((host) => host !== undefined);
  const bound = [...listeners.map(({ address }) => address), request.socket.localAddress ?? ''];
  if (hosts.length === 0 || !hosts.every((host) => isOwnHost(host, allowHosts, bound))) {
    throw new CodedError(
      'forbidden',
      'the Host header names another server; http.allowHosts lists what else is let in',
    );
  }
}

/** The name that the client believes to talk to; in HTTP/2 it may stand in `:authority` (RFC 9113 section 8.3.1). */
function hostOf({ headers }: IncomingMessage): string | undefined {
  const authority = headers[':authority'];
  return headers.host ?? (typeof authority === 'string' ? authority : undefined);
}

/** `example.com:80` of `GET http://example.com:80/path` (RFC 9112 section 3.2.2); undefined in the usual form. */
function targetAuthority(url: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1];
}

function isOwnHost(text: string, allowHosts: readonly string[], bound: readonly string[]): boolean {
  const host = text.toLowerCase();
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:[\]@]+))(?::\d{1,5})?$/.exec(host) ?? [];
  const name = bracketed ?? plain?.replace(/\.$/, '');
  if (name === undefined) return false;
  if (name === 'localhost') return true;
  const address = parseIp(name);
  if (address !== undefined && (address.family === 6) === (bracketed !== undefined)) {
    if (isLoopback(address) || bound.some((each) => parseIp(each)?.text === address.text)) return true;
  }
  return allowHosts.some((each) => [name, host].includes(each.toLowerCase()));
}

/**
 * A write that a browser sends must come from a page of this very server and say JSON, so that no other site can make
 * a visitor's browser write here. Throws CodedError `forbidden`.
 */
export function checkBrowserWrite(request: IncomingMessage): void {
  if (SAFE_METHODS.has(request.method ?? '')) return;
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw new CodedError('forbidden', 'another site may not write here');
  }
  if (origin === undefined) return;
  const scheme = (request.socket as TLSSocket).encrypted === true ? 'https' : 'http';
  const own = `${scheme}://${hostOf(request) ?? ''}`;
  if (!URL.canParse(own) || !URL.canParse(origin) || new URL(own).origin !== new URL(origin).origin) {
    throw new CodedError('forbidden', `a page of ${JSON.stringify(origin.slice(0, 128))} may not write here`);
  }
  const hasBody = request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length']) > 0;
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (hasBody && type !== 'application/json' && type !== 'application/merge-patch+json') {
    throw new CodedError('forbidden', 'a browser must send application/json here');
  }
}
