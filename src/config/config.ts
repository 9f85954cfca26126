// config.ts -- a whole configuration, validated and with defaults filled in

import type { Endpoint, IpPrefix } from '../base/ip.ts';
import type { LogLevel } from '../base/log.ts';
import type { DampingSettings } from '../health/damping.ts';
import type { Instance } from '../registry/instance.ts';

/** A domain whose names are made from the registry. What is left out falls back to `dns`. */
export interface DomainConfig {
  /** Lower case, without a trailing dot. */
  readonly name: string;
  readonly ttlSeconds?: number;
  readonly negativeTtlSeconds?: number;
  readonly maxAnswers?: number;
}

export interface DnsConfig {
  /** UDP and TCP. */
  readonly listen: readonly Endpoint[];
  readonly workers: number | 'auto';
  readonly domains: readonly DomainConfig[];
  /** Addresses of `ns.<domain>` where no zone file names the servers; empty: the listen addresses. */
  readonly advertise: readonly string[];
  /** Folder of *.zone files, absolute. */
  readonly zonesFolder: string;
  /** True when the folder was named by the user, so that its absence is an error. */
  readonly zonesFolderStated: boolean;
  readonly ttlSeconds: number;
  /** The most while an instance behind a name fails or drains. */
  readonly volatileTtlSeconds: number;
  readonly negativeTtlSeconds: number;
  readonly maxAnswers: number;
  readonly maxUdpSize: number;
  readonly claimLocal: boolean;
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

export type StoreConfig = { readonly kind: 'memory' } | { readonly kind: 'lmdb'; readonly path: string };

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

export interface Config {
  readonly dns: DnsConfig;
  readonly http: HttpConfig;
  readonly auth: { readonly tokens: readonly TokenConfig[] };
  readonly store: StoreConfig;
  readonly health: HealthConfig;
  /** Static instances. */
  readonly services: readonly Instance[];
  readonly schedules: readonly ScheduleConfig[];
  readonly log: { readonly level: LogLevel };
  /** The configuration file, absolute; undefined when there is none. */
  readonly file: string | undefined;
}
