// config.ts -- a whole configuration, validated and with defaults filled in

import type { Endpoint, IpPrefix } from '../base/ip.ts';
import type { LogLevel } from '../base/log.ts';
import type { GatewaySettings } from '../gateway/gateway-settings.ts';
import type { DampingSettings } from '../health/damping.ts';
import type { ChaosTexts } from '../nameserver/chaos-names.ts';
import type { RateLimitSettings } from '../nameserver/rate-limit.ts';
import type { StreamLimits } from '../net/connection-table.ts';
import type { Instance } from '../registry/instance.ts';
import type { ForwardConfig } from './read-forward.ts';
import type { Place } from './yaml-source.ts';

/** A domain whose names are made from the registry. What is left out falls back to `dns`. */
export interface DomainConfig {
  /** Lower case, without a trailing dot. */
  readonly name: string;
  readonly ttlSeconds?: number;
  readonly negativeTtlSeconds?: number;
  readonly maxAnswers?: number;
}

/** Response rate limiting, as it is configured. */
export type RateLimitConfig = Omit<RateLimitSettings, 'responsesPerSecond'> & {
  /** 0: off. 'auto': on where somebody outside may ask. */
  readonly responsesPerSecond: number | 'auto';
};

export interface DnsConfig {
  /** UDP and TCP. */
  readonly listen: readonly Endpoint[];
  /** Of TCP and TLS together. */
  readonly tcp: StreamLimits;
  /** DNS over TLS, with absolute paths of PEM files; undefined: none. */
  readonly tls:
    | { readonly listen: readonly Endpoint[]; readonly certFile: string; readonly keyFile: string }
    | undefined;
  /** Networks of load balancers that tell, by the PROXY protocol, for whom they ask. */
  readonly proxyProtocolFrom: readonly IpPrefix[];
  readonly workers: number | 'auto';
  readonly domains: readonly DomainConfig[];
  /** Addresses of `ns.<domain>` where no zone file names the servers; empty: the listen addresses. */
  readonly advertise: readonly string[];
  /** Folder of *.zone files, absolute. */
  readonly zonesFolder: string;
  /** Where the user named the folder, so that its absence is an error; undefined: nowhere. */
  readonly zonesStatedAt: Place | undefined;
  readonly ttlSeconds: number;
  /** The most while an instance behind a name fails or drains. */
  readonly volatileTtlSeconds: number;
  readonly negativeTtlSeconds: number;
  readonly maxAnswers: number;
  readonly maxUdpSize: number;
  readonly claimLocal: boolean;
  /** Networks whose addresses have names in reverse zones; none of them in another. */
  readonly reverse: readonly IpPrefix[];
  /** What is told in class CHAOS; true: everything, in the server's own words. */
  readonly chaos: boolean | ChaosTexts;
  /** DNS cookies are spoken. */
  readonly cookies: boolean;
  /** Their secrets, 32 lower-case hexadecimal digits each: the first signs, all verify. Empty: made at random. */
  readonly cookieSecrets: readonly string[];
  /** Where these were read, absolute. */
  readonly cookieSecretsFile: string | undefined;
  /** What the server calls itself to who asks for its NSID. */
  readonly nsid: string | undefined;
  readonly rateLimit: RateLimitConfig;
  /** Networks that get zones whole. */
  readonly transferTo: readonly IpPrefix[];
  readonly forward: ForwardConfig;
  /** Networks of resolvers whose EDNS client subnet is believed. */
  readonly clientSubnetFrom: readonly IpPrefix[];
  /** Which zone clients are in. */
  readonly clientZones: readonly { readonly zone: string; readonly networks: readonly IpPrefix[] }[];
}

export interface HttpConfig {
  readonly listen: readonly Endpoint[];
  /** Absolute paths of PEM files; undefined: plain HTTP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string; readonly clientCaFile?: string } | undefined;
  readonly allowHosts: readonly string[];
  readonly maxBodyBytes: number;
}

export interface TokenConfig {
  readonly id: string;
  /** Lower-case hex SHA-256 of the token. */
  readonly sha256: string;
  /** Scopes: `services:write:cart-*`, `services:read:*`, `policies:write:*`, `operator`. */
  readonly allow: readonly string[];
}

export interface EtcdConfig {
  readonly kind: 'etcd';
  /** URLs without a path, all of them `http:` or all `https:`; at least one. */
  readonly endpoints: readonly string[];
  /** Begins with a slash and does not end with one. */
  readonly prefix: string;
  /** Absolute paths of PEM files. */
  readonly tls: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  readonly username?: string;
  readonly password?: string;
  /** Absolute path of the folder of what is this node's own, and of a copy of the rest. */
  readonly path: string;
  /** Without news of etcd for so long what is known counts as stale. */
  readonly staleAfterMs: number;
  /** As people are shown this node. */
  readonly node: string;
}

export type StoreConfig = { readonly kind: 'memory' } | { readonly kind: 'lmdb'; readonly path: string } | EtcdConfig;

export interface HealthConfig {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly rise: number;
  readonly fall: number;
  /** Fraction of the interval by which every period is varied, 0..0.5. */
  readonly jitter: number;
  /** Probes under way at once. */
  readonly concurrency: number;
  /** Of them to one host. */
  readonly perHost: number;
  readonly damping: DampingSettings;
  /** In a cluster: the nodes that run the checks of an instance. */
  readonly replicas: number | 'all';
  /** How many of them must agree that a check is critical; `majority`: more than half. */
  readonly quorum: number | 'majority';
  readonly allowExec: boolean;
  readonly allow: readonly IpPrefix[];
  readonly deny: readonly IpPrefix[];
}

/** A cron-timed switch of maintenance for a service or an instance. */
export interface ScheduleConfig {
  readonly name: string;
  readonly cron: string;
  readonly timezone: string | undefined;
  readonly maintenance: 'on' | 'off';
  readonly target: { readonly service: string } | { readonly instance: string };
}

export interface GatewayConfig {
  /** Empty: there is no gateway. */
  readonly listen: readonly Endpoint[];
  /** Absolute paths of PEM files; undefined: plain HTTP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly settings: GatewaySettings;
  /** What `settings` was read from beside the configuration, absolute. */
  readonly authorityFiles: readonly string[];
}

export interface Config {
  readonly dns: DnsConfig;
  readonly http: HttpConfig;
  readonly auth: { readonly tokens: readonly TokenConfig[] };
  readonly store: StoreConfig;
  readonly health: HealthConfig;
  readonly gateway: GatewayConfig;
  /** Static instances. */
  readonly services: readonly Instance[];
  readonly schedules: readonly ScheduleConfig[];
  readonly log: { readonly level: LogLevel };
  /** The configuration file, absolute; undefined when there is none. */
  readonly file: string | undefined;
}
