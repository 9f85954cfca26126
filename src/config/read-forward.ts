// read-forward.ts -- `dns.forward`: who is asked for names outside every zone, and on whose behalf

import { networkInterfaces } from 'node:os';
import { type Endpoint, formatEndpoint, type IpPrefix, isUnspecified, parseIp, parseNetwork } from '../base/ip.ts';
import { type Name, NameError, parseName } from '../dns/name.ts';
import { formatUpstream, parseUpstream, type UpstreamAddress } from '../net/upstream-address.ts';
import type { InputObject } from '../registry/input.ts';
import { readNetworks, readTexts, section, shorten } from '../registry/input-forms.ts';
import { readAuthorities } from './pem-pair.ts';
import { readPath, type SectionSource } from './section.ts';

export interface ForwardConfig {
  /** None: nothing is forwarded. */
  readonly to: readonly UpstreamAddress[];
  readonly allow: readonly IpPrefix[];
  /** Within which a question is answered, whatever happens. */
  readonly timeoutMs: number;
  /** Replies kept. */
  readonly cacheSize: number;
  /** How long replies may be given beyond their time while no upstream answers. */
  readonly staleMs: number;
  /** Special names (RFC 6761 and others) that upstreams are asked for all the same. */
  readonly passSpecial: readonly Name[];
  /** Replies with private addresses are withheld. */
  readonly stripPrivate: boolean;
  /** PEM of the authorities that vouch for TLS upstreams; undefined: those that Node knows. */
  readonly authorities: string | undefined;
  /** Where these were read, absolute. */
  readonly authoritiesFile: string | undefined;
}

const MAX_UPSTREAMS = 16;
const DEFAULT_TIMEOUT_MS = 2000;
const DEFAULT_CACHE_SIZE = 10_000;
const DAY_MS = 86_400_000;
/** RFC 8767 section 6 has one to three days for a sensible bound. */
const MAX_STALE_MS = 7 * DAY_MS;

/** Read the section. `listen`: our own endpoints, which must not be asked. */
export function readForward(source: SectionSource, parent: InputObject, listen: readonly Endpoint[]): ForwardConfig {
  const input = section(parent, 'forward');
  const authoritiesFile = readPath(source, input, 'caFile');
  const config: ForwardConfig = {
    to: readUpstreams(input, listen),
    allow: readNetworks(input, 'allow') ?? [...parseNetwork('loopback')!, ...parseNetwork('private')!],
    timeoutMs: input.duration('timeout', 100, 60_000) ?? DEFAULT_TIMEOUT_MS,
    cacheSize: input.integer('cacheSize', 0, 10_000_000) ?? DEFAULT_CACHE_SIZE,
    staleMs: input.duration('staleFor', 0, MAX_STALE_MS) ?? DAY_MS,
    passSpecial: readSpecial(input),
    stripPrivate: input.boolean('stripPrivate') ?? false,
    authorities: readAuthorities(input, authoritiesFile),
    authoritiesFile,
  };
  input.finish();
  return config;
}

function readUpstreams(input: InputObject, listen: readonly Endpoint[]): UpstreamAddress[] {
  const upstreams: UpstreamAddress[] = [];
  for (const { text, key } of readTexts(input, 'to') ?? []) {
    const upstream = parseUpstream(text);
    const problem = upstream === undefined ? SYNTAX(text) : problemOf(upstream, upstreams, listen);
    if (upstream === undefined || problem !== undefined) input.fail(key, problem ?? '');
    else upstreams.push(upstream);
  }
  if (upstreams.length > MAX_UPSTREAMS) input.fail('to', `has more than ${MAX_UPSTREAMS} upstreams`);
  return upstreams;
}

const SYNTAX = (text: string): string =>
  `'${shorten(text)}' is not a resolver like 9.9.9.9, "[2620:fe::9]:53" or tls://1.1.1.1:853#cloudflare-dns.com`;

function problemOf(
  upstream: UpstreamAddress,
  others: readonly UpstreamAddress[],
  listen: readonly Endpoint[],
): string | undefined {
  const text = formatUpstream(upstream);
  const address = parseIp(upstream.endpoint.address)!;
  if (isUnspecified(address) || NOWHERE.some((each) => each.test(address.text))) {
    return `${text} is not the address of a resolver`;
  }
  if (others.some((each) => formatUpstream(each) === text)) return `${text} stands twice`;
  const own = listen.find((each) => isSelf(each, upstream.endpoint));
  return own === undefined ? undefined : `${text} is this server itself, which listens on ${formatEndpoint(own)}`;
}

/** Multicast and broadcast. */
const NOWHERE = [/^22[4-9]\./, /^23\d\./, /^255\.255\.255\.255$/, /^ff[0-9a-f]{2}:/];

/** Would a question sent there come back to that listener? A wildcard is at every address of the machine. */
function isSelf(listener: Endpoint, { address, port }: Endpoint): boolean {
  if (listener.port !== port) return false;
  if (listener.address === address) return true;
  const [own, asked] = [parseIp(listener.address)!, parseIp(address)!];
  if (!isUnspecified(own) || own.family !== asked.family) return false;
  return /^127\./.test(asked.text) || machineAddresses().includes(asked.text);
}

function machineAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}

function readSpecial(input: InputObject): Name[] {
  return (readTexts(input, 'passSpecial') ?? []).flatMap(({ text, key }) => {
    try {
      return [parseName(text)];
    } catch (thrown) {
      if (!(thrown instanceof NameError)) throw thrown;
      input.fail(key, `'${shorten(text)}' is not a domain name: ${thrown.message}`);
      return [];
    }
  });
}
