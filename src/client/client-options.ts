// client-options.ts -- what a client is told when it is made

import type { BackOffOptions } from './back-off.ts';
import type { RollcallError } from './rollcall-error.ts';

/** A token, or a way to get one: asked for the first time, and again when the server refused the last one. */
export type TokenSource = string | ((why: { readonly refused: boolean }) => string | Promise<string>);

/** Certificates towards the servers, in PEM. */
export interface ClientTls {
  /** Authorities; default: those of the system. */
  readonly ca?: string | Buffer;
  /** Certificate and key of the client, for servers that ask for one. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** Name in the server's certificate, where that is not the host of the URL. */
  readonly serverName?: string;
}

/** Where short notes go: a pino logger and `console` are both fine. */
export interface ClientLogger {
  info(message: string): void;
  warn(message: string): void;
}

export interface ClientOptions {
  /**
   * `http://127.0.0.1:8500`, or several servers of one cluster, of which the first that answers is used. May be left out
   * by programs that resolve by DNS only.
   */
  readonly url?: string | readonly string[];
  readonly token?: TokenSource;
  readonly tls?: ClientTls;
  /** For one call, in milliseconds. Default 5000. */
  readonly timeoutMs?: number;
  /** After how long without an octet a watch counts as cut; the server sends one every 15 seconds. Default 40,000. */
  readonly silenceMs?: number;
  /** Between tries while the server is away. */
  readonly backOff?: BackOffOptions;
  /** Closes the client when it is aborted. */
  readonly signal?: AbortSignal;
  /** Hears of all that went wrong in the background and is tried again. Must not throw. */
  readonly onError?: (error: RollcallError) => void;
  /** Default: nothing is said. */
  readonly logger?: ClientLogger;
  /** Zone of this program, for policies that prefer instances of the client's zone. */
  readonly zone?: string;
  /** Address of this program as routing sees it. Default: the local one of a connection to the server. */
  readonly address?: string;
}
