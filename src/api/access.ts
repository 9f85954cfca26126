// access.ts -- who may call what: tokens with scopes, or this machine alone where there are none
//
// Every route states its rule; one without a rule is for operators only. Names are brought to lower case before the
// scopes are asked, so that no spelling slips past them (CVE-2026-26017).

import { createHash, timingSafeEqual } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { FastifyContextConfig, FastifyInstance, FastifyRequest } from 'fastify';
import { CodedError } from '../base/errors.ts';
import type { Endpoint } from '../base/ip.ts';
import type { Registry } from '../registry/registry.ts';
import { instanceId, serviceName } from './path-part.ts';
import { checkBrowserWrite, checkLocal, checkShape } from './request-source.ts';
import { type Action, scopeProblem, TokenScopes } from './token-scopes.ts';

/** Who may call a route. */
export type RouteAccess =
  /** Everybody, whatever the other rules say. */
  | 'open'
  /** Whoever may call at all; what the reply shows is the handler's business. */
  | 'known'
  /** Who may read every service. */
  | 'overview'
  | 'operator'
  /** Who may do this to the service of the path, or to the service of the instance of the path. */
  | { readonly action: Action; readonly to: 'service' | 'instance' };

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess;
  }
  interface FastifyRequest {
    caller: Caller;
  }
}

export interface Token {
  readonly id: string;
  /** Lower-case hex SHA-256 of the token. */
  readonly sha256: string;
  /** Scopes, as `scopeProblem` wants them. */
  readonly allow: readonly string[];
}

/** Who may come in. No tokens: this machine alone. */
export interface AccessOptions {
  readonly tokens: readonly Token[];
  /** Host names, with or without a port, that are this server's beside its addresses. */
  readonly allowHosts: readonly string[];
}

/** Who is calling. */
export interface Caller {
  /** The token's id; undefined for this machine. */
  readonly tokenId: string | undefined;
  readonly scopes: TokenScopes;
}

const EVERYTHING = new TokenScopes(['operator']);
const LOCAL: Caller = { tokenId: undefined, scopes: EVERYTHING };

interface KnownToken {
  /** As it stands in the configuration. */
  readonly token: Token;
  readonly digest: Buffer;
  readonly caller: Caller;
}

/** The gate in front of every route. */
export class Access {
  readonly #registry: Registry;
  readonly #listeners: readonly Endpoint[];
  #tokens: readonly KnownToken[] = [];
  #allowHosts: readonly string[] = [];

  /** `listeners` may still fill up until the first request. Throws CodedError `invalid` for a malformed token. */
  constructor(options: AccessOptions, registry: Registry, listeners: readonly Endpoint[]) {
    this.#registry = registry;
    this.#listeners = listeners;
    this.set(options);
  }

  /** Other rules for requests from now on. Throws CodedError `invalid`, changing nothing. */
  set(options: AccessOptions): void {
    // A token that stays as it is keeps its caller, and with it what that one is connected for.
    const tokens = options.tokens.map(
      (token) => this.#tokens.find((known) => isDeepStrictEqual(known.token, token)) ?? readToken(token),
    );
    this.#tokens = tokens;
    this.#allowHosts = options.allowHosts;
  }

  /** Is this caller, who was let in once, let in still? */
  isCurrent(caller: Caller): boolean {
    if (this.#tokens.length === 0) return caller === LOCAL;
    return this.#tokens.some((known) => known.caller === caller);
  }

  /** Guard every route of the application, those for unknown paths included. */
  guard(app: FastifyInstance): void {
    app.decorateRequest('caller');
    app.addHook('onRequest', async (request) => {
      checkShape(request.raw);
      const rule = (request.routeOptions.config as FastifyContextConfig | undefined)?.access;
      if (rule === 'open') {
        request.caller = LOCAL;
        return;
      }
      if (this.#tokens.length === 0) checkLocal(request.raw, this.#allowHosts, this.#listeners);
      checkBrowserWrite(request.raw);
      request.caller = this.#tokens.length === 0 ? LOCAL : this.#authenticate(request);
      this.#authorize(request, request.is404 ? 'known' : (rule ?? 'operator'));
    });
  }

  #authenticate(request: FastifyRequest): Caller {
    const digest = createHash('sha256').update(presentedToken(request)).digest();
    let found: Caller | undefined;
    // All are compared, so that the time taken says nothing of which came close.
    for (const token of this.#tokens) if (timingSafeEqual(token.digest, digest)) found = token.caller;
    if (found === undefined) throw new CodedError('unauthorized', 'the token is not known');
    return found;
  }

  #authorize(request: FastifyRequest, rule: Exclude<RouteAccess, 'open'>): void {
    const { scopes } = request.caller;
    if (rule === 'known') return;
    if (rule === 'operator' && !scopes.isOperator) throw forbidden(request, 'needs the scope operator');
    if (rule === 'overview' && !scopes.allowsAll('read')) throw forbidden(request, 'needs services:read:* or operator');
    if (typeof rule === 'string') return;
    if (rule.to === 'service') {
      const service = serviceName(request);
      if (!scopes.allows(rule.action, service)) throw forbidden(request, `may not ${spoken(rule.action)} '${service}'`);
      return;
    }
    const id = instanceId(request);
    const service = this.#registry.instance(id)?.instance.service;
    const isAllowed =
      service === undefined ? scopes.allowsUnknownId(rule.action, id) : scopes.allows(rule.action, service);
    // The same words whether it exists or not.
    if (!isAllowed) throw forbidden(request, `may not ${spoken(rule.action)} instance '${id}', if there is one`);
  }
}

function readToken(token: Token): KnownToken {
  const { id, sha256, allow } = token;
  const problem = allow.map(scopeProblem).find((each) => each !== undefined);
  if (problem !== undefined) throw new CodedError('invalid', `token '${id}': ${problem}`);
  if (!/^[0-9a-f]{64}$/i.test(sha256)) throw new CodedError('invalid', `token '${id}': the hash is not a hex SHA-256`);
  return { token, digest: Buffer.from(sha256, 'hex'), caller: { tokenId: id, scopes: new TokenScopes(allow) } };
}

function presentedToken({ headers }: FastifyRequest): string {
  const bearer = /^bearer +([\x21-\x7e]+) *$/i.exec(headers.authorization ?? '')?.[1];
  const token = headers.authorization === undefined ? headers['x-consul-token'] : bearer;
  if (typeof token === 'string' && token !== '') return token;
  throw new CodedError('unauthorized', 'this server needs a token: Authorization: Bearer <token>');
}

function forbidden(request: FastifyRequest, what: string): CodedError {
  return new CodedError('forbidden', `token '${request.caller.tokenId}' ${what}`);
}

function spoken(action: Action): string {
  return action.endsWith('-policy') ? `${action.slice(0, -'-policy'.length)} the policy of` : action;
}
