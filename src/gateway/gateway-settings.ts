// gateway-settings.ts -- what the gateway goes by: routes, limits, whom it believes; plain data, exchanged by a reload

import type { IpPrefix } from '../base/ip.ts';

export interface GatewaySettings {
  /** In the order of the configuration; which one takes a request is route-table.ts's to say. */
  readonly routes: readonly GatewayRoute[];
  /** Proxies in front of us whose `X-Forwarded-*`, `Forwarded` and `X-Request-Id` are believed and added to. */
  readonly trust: readonly IpPrefix[];
  /** Requests under way at once, of all clients; more are refused (503). */
  readonly maxRequests: number;
  /** Say in `Server-Timing` what took how long: to everybody, to those who send `X-Rollcall-Timing: 1`, or never. */
  readonly serverTiming: 'always' | 'asked' | 'never';
  readonly accessLog: AccessLogSettings;
}

export interface AccessLogSettings {
  /** Part of the requests that are logged, 0..1; those that failed (5xx) always are, unless it is 0. */
  readonly sample: number;
  /** Names of query parameters (lower case) whose values are not logged. */
  readonly redact: readonly string[];
}

/** Which requests go to which service, and how. */
export interface GatewayRoute {
  /** Unique; in metrics and logs. */
  readonly name: string;
  /** Lower case, without a port; `*.example.com` for all names below one. Empty: any host. */
  readonly hosts: readonly string[];
  /** Begins with `/`; matches whole segments: `/api` takes `/api` and `/api/x`, not `/apis`. */
  readonly prefix: string;
  /** Lower-case name to exact value; all must match. */
  readonly headers: Readonly<Record<string, string>>;
  /** Lower case. */
  readonly service: string;
  /** Only instances with all of these. */
  readonly tags: readonly string[];
  /** Named port of the instances; undefined: their main one. */
  readonly port: string | undefined;
  /** What the prefix is replaced by; `/` strips it; undefined: the path stays. */
  readonly rewrite: string | undefined;
  /** What makes a client the same client, for sticky canaries, `hash` and `subset`; undefined: its address. */
  readonly sticky: StickyBy | undefined;
  /** What instances get as `Host`: the client's, the instance's address and port, or a text of its own. */
  readonly host: 'client' | 'instance' | { readonly text: string };
  /** TLS towards instances; undefined: plain HTTP. */
  readonly tls: UpstreamTls | undefined;
  /** From the arrival of the request's head to the head of the reply, attempts and waiting included. */
  readonly timeoutMs: number;
  /** Without an octet in either direction, once a body is under way; upgraded connections too. */
  readonly idleTimeoutMs: number;
  readonly retries: RetrySettings;
  readonly outliers: OutlierSettings | undefined;
  readonly limits: RouteLimits;
}

export type StickyBy =
  | { readonly by: 'client' }
  | { readonly by: 'header'; readonly name: string }
  /** Set when the client has none; `maxAgeSeconds` undefined: until the browser closes. */
  | { readonly by: 'cookie'; readonly name: string; readonly maxAgeSeconds: number | undefined };

export interface UpstreamTls {
  /** PEM contents; undefined: the system's authorities. */
  readonly ca: string | undefined;
  /** Name in SNI and in the certificate; undefined: the service's name. */
  readonly serverName: string | undefined;
  readonly skipVerify: boolean;
}

export interface RetrySettings {
  /** Beside the first one; 0: none. */
  readonly attempts: number;
  /** Replies that are tried again elsewhere, of idempotent requests; a failure to connect always is. */
  readonly statuses: readonly number[];
  /** Retries there may be as a part of requests, 0..1, over the last ten seconds; a few are always allowed. */
  readonly budget: number;
}

/** When an instance is taken out for a while because of what came of requests to it. */
export interface OutlierSettings {
  /** Failures in a row; 0: not by these. */
  readonly consecutive: number;
  /** Part of the requests of the last `windowMs` that failed, of at least `minRequests`; 1 or more: not by this. */
  readonly errorShare: number;
  readonly minRequests: number;
  readonly windowMs: number;
  /** The first time; twice as long each time it happens again soon. */
  readonly ejectForMs: number;
  readonly maxEjectForMs: number;
  /** Part of a service's answerable instances that may be out at once, 0..1; one of several always may. */
  readonly maxEjected: number;
}

export interface RouteLimits {
  /** Connections to one instance. */
  readonly maxConnections: number;
  /** Requests of the route that wait because every instance has as many as it may; more are refused (503). */
  readonly maxQueued: number;
  /** How long one waits. */
  readonly queueTimeoutMs: number;
}
