// client-address.ts -- whose request it is: the peer's, or the one that a trusted proxy in front of us says it is

import { type IpPrefix, parseIp } from '../base/ip.ts';
import { type ClientNetwork, hashClient } from '../routing/client-hash.ts';
import { NetworkSet } from '../routing/network-set.ts';
import type { PickAsker } from '../routing/picker.ts';
import type { RequestHead } from './request-head.ts';

/** Entries of `X-Forwarded-For` or `Forwarded` that are looked at, from the right. */
const MAX_HOPS = 32;

/** An address as routing sees it; nothing of it is worked out before somebody asks. */
export class ClientAddress implements PickAsker {
  /** Canonical; `unknown` for a peer without one (a socket that is closed already, a Unix socket). */
  readonly text: string;
  readonly knownBits = 128;
  readonly isSticky: boolean;
  readonly #mapped: boolean;
  readonly #bytes: Uint8Array;
  #octets: Uint8Array | undefined;
  #client: number | undefined;
  #sticky: ClientAddress | undefined;

  constructor(text: string, bytes: Uint8Array, isSticky = false) {
    this.text = text;
    this.#bytes = bytes;
    this.#mapped = bytes.length === 4;
    this.isSticky = isSticky;
  }

  octets(): Uint8Array {
    this.#octets ??= this.#mapped ? mapped(this.#bytes) : this.#bytes;
    return this.#octets;
  }

  get client(): number {
    this.#client ??= hashClient(this.octets());
    return this.#client;
  }

  /** The same client, for whom every route of a policy is sticky. */
  get sticky(): ClientAddress {
    this.#sticky ??= new ClientAddress(this.text, this.#bytes, true);
    return this.#sticky;
  }
}

function mapped(quad: Uint8Array): Uint8Array {
  const octets = new Uint8Array(16);
  octets.fill(0xff, 10, 12);
  octets.set(quad, 12);
  return octets;
}

/** Where requests of one connection come from. */
export class Peer {
  readonly address: ClientAddress;
  /** What it says of who is in front of it is believed. */
  readonly isTrusted: boolean;
  readonly isTls: boolean;
  readonly #forwardedStart: string;
  #forwardedHost = '';
  #forwarded = '';

  constructor(address: ClientAddress, isTrusted: boolean, isTls: boolean) {
    this.address = address;
    this.isTrusted = isTrusted;
    this.isTls = isTls;
    const node = address.text.includes(':') ? `"[${address.text}]"` : address.text;
    this.#forwardedStart = `for=${node};proto=${isTls ? 'https' : 'http'}`;
    this.#forwarded = this.#forwardedStart;
  }

  /** Its element of `Forwarded` (RFC 7239 section 4). `host`: an authority as it was sent; empty for none. */
  forwarded(host: string): string {
    // A connection seldom speaks to more than one host.
    if (host !== this.#forwardedHost) {
      this.#forwardedHost = host;
      this.#forwarded = host === '' ? this.#forwardedStart : `${this.#forwardedStart};host="${host}"`;
    }
    return this.#forwarded;
  }
}

/** What is needed of a connection. */
export interface PeerSocket {
  readonly remoteAddress?: string | undefined;
  readonly encrypted?: boolean | undefined;
}

const UNKNOWN = new ClientAddress('unknown', new Uint8Array(16));

/** The proxies that are believed. */
export class Trust {
  readonly #networks: NetworkSet | undefined;
  readonly #peers = new WeakMap<object, Peer>();

  constructor(networks: readonly IpPrefix[]) {
    this.#networks = networks.length === 0 ? undefined : new NetworkSet(networks);
  }

  /** Is this one of them? */
  has(address: ClientNetwork): boolean {
    return this.#networks?.has(address) ?? false;
  }

  /** Who is at the other end of a connection; asked once for each connection. HTTP/2: the session's socket. */
  peerOf(socket: PeerSocket): Peer {
    let peer = this.#peers.get(socket);
    if (peer === undefined) {
      const address = addressOf(socket.remoteAddress ?? '') ?? UNKNOWN;
      peer = new Peer(address, address !== UNKNOWN && this.has(address), socket.encrypted === true);
      this.#peers.set(socket, peer);
    }
    return peer;
  }

  /** Whose request it is: from the right, the first address that is not a trusted proxy's. */
  clientOf(peer: Peer, head: RequestHead): ClientAddress {
    if (!peer.isTrusted) return peer.address;
    // A proxy that sets one of the two may pass on the other as a client made it up. Most set the former.
    const hops = head.forwardedFor === undefined ? forwardedNodes(head.forwarded ?? '') : lastItems(head.forwardedFor);
    let client = peer.address;
    for (const hop of hops) {
      const address = addressOf(withoutPort(hop));
      // Whoever cannot be told stands behind the last one who can.
      if (address === undefined) return client;
      client = address;
      if (!this.has(address)) return client;
    }
    return client;
  }
}

function addressOf(text: string): ClientAddress | undefined {
  // Sockets of both families say `::ffff:192.0.2.1`, and `fe80::1%eth0` for neighbours.
  const zone = text.indexOf('%');
  const ip = parseIp(zone < 0 ? text : text.slice(0, zone));
  return ip === undefined ? undefined : new ClientAddress(ip.text, ip.bytes);
}

/** `192.0.2.1:80`, `[2001:db8::1]:80` and `[2001:db8::1]`; other texts stay as they are. */
function withoutPort(text: string): string {
  if (text.startsWith('[')) {
    const end = text.indexOf(']');
    return end < 0 ? text : text.slice(1, end);
  }
  const colon = text.indexOf(':');
  return colon >= 0 && colon === text.lastIndexOf(':') ? text.slice(0, colon) : text;
}

/** The items of a list, the last one first. */
function lastItems(list: string): string[] {
  const items: string[] = [];
  let end = list.length;
  while (end >= 0 && items.length < MAX_HOPS) {
    const comma = list.lastIndexOf(',', end - 1);
    items.push(list.slice(comma + 1, end).trim());
    if (comma < 0 || end === 0) break;
    end = comma;
  }
  return items;
}

/** The `for` of each element of `Forwarded`, the last one first; an empty text where there is none. */
function forwardedNodes(list: string): string[] {
  return lastItems(list).map((element) => /(?:^|;)[ \t]*for="?([^";,]*)"?/i.exec(element)?.[1]?.trim() ?? '');
}
