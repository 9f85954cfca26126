// access-log.ts -- a line for each request through the gateway, or for a sample of them

import { saltOf } from '../routing/client-hash.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { AccessLogSettings } from './gateway-settings.ts';

/** What lines are written to; every pino logger is one. It should write in the background (`sync: false`). */
export interface LineSink {
  info(fields: object, message: string): void;
}

const MAX_TARGET = 2048;
const REDACTED = '[redacted]';
const WHOLE = 2 ** 32;

export class AccessLog {
  readonly #sink: LineSink;
  #settings: AccessLogSettings;
  #redact: ReadonlySet<string>;

  constructor(sink: LineSink, settings: AccessLogSettings) {
    this.#sink = sink;
    this.#settings = settings;
    this.#redact = new Set(settings.redact);
  }

  /** From now on. */
  set(settings: AccessLogSettings): void {
    this.#settings = settings;
    this.#redact = new Set(settings.redact);
  }

  note(record: ExchangeRecord): void {
    const { sample } = this.#settings;
    if (!(sample > 0)) return;
    if (sample < 1 && record.status < 500 && saltOf(record.requestId) >= sample * WHOLE) return;
    const { target, durationMs, upstreamMs, queuedMs, ...rest } = record;
    this.#sink.info(
      {
        ...rest,
        path: redacted(target, this.#redact),
        durationMs: rounded(durationMs),
        ...(upstreamMs !== undefined && { upstreamMs: rounded(upstreamMs) }),
        ...(queuedMs > 0 && { queuedMs: rounded(queuedMs) }),
      },
      'gateway request',
    );
  }
}

/** The target with the values of some query parameters (lower-case names) taken out, and cut when it is very long. */
export function redacted(target: string, names: ReadonlySet<string>): string {
  const text = target.length > MAX_TARGET ? `${target.slice(0, MAX_TARGET)}...` : target;
  const query = text.indexOf('?');
  if (query < 0 || names.size === 0) return text;
  const parameters = text
    .slice(query + 1)
    .split('&')
    .map((parameter) => {
      const equals = parameter.indexOf('=');
      return equals >= 0 && names.has(nameOf(parameter.slice(0, equals)))
        ? `${parameter.slice(0, equals + 1)}${REDACTED}`
        : parameter;
    });
  return `${text.slice(0, query)}?${parameters.join('&')}`;
}

/** As programs read it: `%74oken` is `token`. */
function nameOf(text: string): string {
  if (!text.includes('%')) return text.toLowerCase();
  try {
    return decodeURIComponent(text).toLowerCase();
  } catch {
    return text.toLowerCase();
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
