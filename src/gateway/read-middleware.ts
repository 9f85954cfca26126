// read-middleware.ts -- the options of the middleware, read by the rules of the configuration

import { createSecureContext } from 'node:tls';
import { CodedError, errorMessage } from '../base/errors.ts';
import { RollcallError } from '../client/rollcall-error.ts';
import { Findings, InputObject } from '../registry/input.ts';
import { DEFAULT_GATEWAY } from './gateway-defaults.ts';
import type { GatewaySettings } from './gateway-settings.ts';
import type { MiddlewareOptions } from './middleware-options.ts';
import { readSettings } from './read-settings.ts';
import type { AuthorityField } from './read-upstream.ts';

export interface MiddlewareSettings {
  readonly settings: GatewaySettings;
  readonly zone: string | undefined;
}

/** As long as the zone of an instance may be. */
const MAX_ZONE_LENGTH = 128;

/** Throws RollcallError `invalid`, with everything that is wrong as `details`. */
export function readMiddleware(options: MiddlewareOptions): MiddlewareSettings {
  const findings = new Findings();
  const input = InputObject.of(options, '', findings, 'text or ms');
  const settings = input === undefined ? DEFAULT_GATEWAY : { ...DEFAULT_GATEWAY, ...readSettings(input, AUTHORITIES) };
  const zone = input?.text('zone', MAX_ZONE_LENGTH);
  if (input !== undefined) readParts(input);
  input?.finish();
  try {
    findings.throwAny('the options of the gateway');
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new RollcallError('invalid', error.message, { details: error.details });
  }
  return { settings, zone };
}

/** What is no data. */
function readParts(input: InputObject): void {
  const routes = input.raw('routes');
  if (routes === undefined || (Array.isArray(routes) && routes.length === 0)) input.fail('routes', 'names no route');
  if (input.has('client') === input.has('source')) input.fail('', 'needs either client or source');
  if (input.has('client')) needMethods(input, 'client', ['view']);
  if (input.has('source')) needMethods(input, 'source', ['service', 'onChange']);
  for (const key of ['onExchange', 'onVerdict']) {
    if (input.has(key) && typeof input.raw(key) !== 'function') input.fail(key, 'must be a function');
  }
}

function needMethods(input: InputObject, key: string, names: readonly string[]): void {
  const value = Object(input.raw(key)) as Record<string, unknown>;
  const missing = names.find((name) => typeof value[name] !== 'function');
  if (missing !== undefined) input.fail(key, `has no method ${missing}`);
}

/** `ca` of a route: its contents, where the configuration has a file. */
const AUTHORITIES: AuthorityField = {
  key: 'ca',
  read(tls) {
    const value = tls.raw('ca');
    if (value === undefined) return undefined;
    if (typeof value !== 'string' && !(value instanceof Uint8Array))
      return tls.fail('ca', 'must be a text or a Buffer');
    const text = Buffer.from(value as Uint8Array).toString();
    if (!text.includes('-----BEGIN CERTIFICATE-----')) return tls.fail('ca', 'holds no certificate in PEM');
    try {
      createSecureContext({ ca: text });
      return text;
    } catch (thrown) {
      return tls.fail('ca', `cannot be used: ${errorMessage(thrown)}`);
    }
  },
};
