// middleware-options.ts -- what a gateway within another program's server is told: the routes of the configuration, in code

import type { RollcallClient } from '../client/client.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { OutlierVerdict } from './outliers.ts';
import type { ServiceSource } from './service-source.ts';

/** Milliseconds, or a text with a unit: `500`, `"500ms"`, `"5s"`, `"1m30s"`. */
export type Duration = number | string;

/** Where services are read from: one of `client` and `source`. */
export interface MiddlewareOptions {
  /** The gateway follows the services of its routes with this client, until it is closed. */
  readonly client?: Pick<RollcallClient, 'view'>;
  /** Services from elsewhere: a `client.view([...])` that is there already, or one made for a test. It is not closed. */
  readonly source?: ServiceSource;
  /** A request goes to the one that fits best, whatever their order (docs/gateway.md); 1 to 10,000. */
  readonly routes: readonly RouteOptions[];
  /** Proxies in front: networks like `10.0.0.0/8`, or `loopback` and `private`. Their `X-Forwarded-*` are believed. Default: none. */
  readonly trust?: string | readonly string[];
  /** Requests under way at once; more are answered 503 `overloaded`. Default 10,000. */
  readonly maxRequests?: number;
  /** Who is told by `Server-Timing` what took how long; `asked`: whoever sends `X-Rollcall-Timing: 1`. Default `asked`. */
  readonly serverTiming?: 'always' | 'asked' | 'never';
  /** Zone of this program, for policies that prefer instances of the client's zone. */
  readonly zone?: string;
  /** Hears what came of each request, when it is over. */
  readonly onExchange?: (record: ExchangeRecord) => void;
  /** Hears when an instance is taken out because of failed requests, and when it is back; this holds in this process only. */
  readonly onVerdict?: (verdict: OutlierVerdict) => void;
}

/** Which requests go to which service, and how. All but `service` may be left out. */
export interface RouteOptions {
  /** Unique; in records. Default: made of the service and the prefix. */
  readonly name?: string;
  /** `shop.example`, `*.shop.example`, an address. Default: any. */
  readonly host?: string | readonly string[];
  /** Begin of the path, in whole segments: `/api` takes `/api` and `/api/x`, not `/apis`. Default `/`. */
  readonly prefix?: string;
  /** Exact values; all must match. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly service: string;
  /** Only instances with all of these; the policy's own routes are then not looked at. */
  readonly tags?: readonly string[];
  /** A named port of the instances instead of their main one. */
  readonly port?: string;
  /** Take the prefix off. Default false. */
  readonly strip?: boolean;
  /** Put this path in the place of the prefix. */
  readonly rewrite?: string;
  /** What makes a client the same client, for sticky canaries and `hash`. Default: its address, without stickiness. */
  readonly sticky?: 'client' | { readonly cookie: string; readonly maxAge?: Duration } | { readonly header: string };
  /** What instances get as `Host`: the client's (default), the instance's own address, or this text. */
  readonly hostHeader?: 'client' | 'instance' | (string & {});
  /** TLS towards instances. Default: plain HTTP. */
  readonly tls?: boolean | RouteTlsOptions;
  /** Until the head of the reply, attempts and waiting included. Default 30 s. */
  readonly timeout?: Duration;
  /** Without an octet in either direction, once a body is under way; upgraded connections too. Default 60 s. */
  readonly idleTimeout?: Duration;
  readonly retries?: RouteRetryOptions;
  /** When instances are taken out for a while; `off` or false: never. */
  readonly outliers?: RouteOutlierOptions | 'off' | false;
  readonly limits?: RouteLimitOptions;
}

export interface RouteTlsOptions {
  /** Authorities in PEM. Default: those of the system. */
  readonly ca?: string | Uint8Array;
  /** Name in SNI and in the certificate. Default: the name of the service. */
  readonly serverName?: string;
  readonly skipVerify?: boolean;
}

export interface RouteRetryOptions {
  /** Beside the first one, 0 to 10. Default 2. */
  readonly attempts?: number;
  /** Replies that are tried again elsewhere, of idempotent requests without a body. Default 502, 503, 504. */
  readonly on?: readonly number[];
  /** Retries as a part of the requests, 0 to 1. Default 0.2. */
  readonly budget?: number;
}

export interface RouteOutlierOptions {
  /** Failures in a row; 0: not by these. Default 5. */
  readonly consecutive?: number;
  /** Part of the requests of the last `window` that failed, 0.01 to 1; 1: not by this. Default 0.5. */
  readonly errorShare?: number;
  /** Of at least so many. Default 20. */
  readonly minRequests?: number;
  /** Default 10 s. */
  readonly window?: Duration;
  /** The first time; twice as long each time it happens again soon. Default 10 s. */
  readonly ejectFor?: Duration;
  /** Default 5 min. */
  readonly maxEjectFor?: Duration;
  /** Part of the instances that may be out at once, 0 to 1; one of several always may. Default 0.3. */
  readonly maxEjected?: number;
}

export interface RouteLimitOptions {
  /** Connections to one instance. Default 256. */
  readonly maxConnections?: number;
  /** Requests that wait for one; more are answered 503 `queue_full`. Default 1000. */
  readonly maxQueued?: number;
  /** How long they wait. Default 1 s. */
  readonly queueTimeout?: Duration;
}
